import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What the environment says. */
export interface Environment {
  readonly colour: boolean
  readonly version: string
  readonly deployFolder: string
  /** Opens an address in the person's browser; absent where there is no desktop. */
  readonly browserProgram?: 'xdg-open' | 'open' | undefined
}

/** Reads the environment once. */
export function readEnvironment(env: NodeJS.ProcessEnv, stdout: { readonly isTTY?: boolean }): Environment {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown'
  return {
    // https://no-color.org: any non-empty value turns colour off.
    colour: stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '',
    version,
    deployFolder: fileURLToPath(new URL('../../../deploy', import.meta.url)),
    browserProgram: browserProgram(env, process.platform),
  }
}

function browserProgram(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): Environment['browserProgram'] {
  if (platform === 'darwin') return 'open'
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? 'xdg-open' : undefined
}
