import { existsSync, readFileSync } from 'node:fs'
import { POD_LABELS_PATH, readConfig } from './config.ts'
import type { Config } from './config.types.ts'

/** The configuration of this process: the one place that looks at its environment. */
export function configOfProcess(): Config {
  return readConfig({
    env: process.env,
    args: process.argv.slice(2),
    exists: existsSync,
    podLabels: readIfThere(POD_LABELS_PATH),
  })
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
