import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { MESH_CONFIG_PATH, readConfig } from './config.ts'
import type { Config } from './config.types.ts'

/** The configuration of this process: the one place that looks at its environment. */
export function configOfProcess(): Config {
  return readConfig(process.env, {
    exists: existsSync,
    meshConfig: readIfThere(MESH_CONFIG_PATH),
    cpus: availableParallelism(),
  })
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
