import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Design } from './design.types.ts'
import { CLIENT } from './namespaces.ts'

/** One line of the generator. Members a mode does not have are absent. */
export interface LoadResult {
  readonly gbps?: number
  readonly seconds?: number
  readonly rate?: number
  readonly failed?: number
  /** Connections that were made. */
  readonly count?: number
  /** Requests of the whole run, those before measuring included, and how long it was. */
  readonly total?: number
  readonly cpu?: number
  readonly p50?: number
  readonly p99?: number
}

/** Compiles one of the programs here into a folder and returns its path. */
export function build(folder: string, name: 'load' | 'http' | 'relay', libraries: readonly string[] = []): string {
  const program = join(folder, name)
  if (existsSync(program)) return program
  const source = join(import.meta.dirname, `${name}.c`)
  const result = spawnSync('gcc', ['-O2', '-Wall', '-o', program, source, ...libraries], { encoding: 'utf8' })
  if (result.error !== undefined || result.status !== 0) {
    const packages = ['gcc', 'libc6-dev', ...(libraries.includes('-lssl') ? ['libssl-dev'] : [])].join(' ')
    throw new Error(
      `cannot compile ${source}: ${result.error?.message ?? result.stderr}\nType, as root: apt-get install -y ${packages}`,
    )
  }
  return program
}

/** Runs the generator against a design. */
export async function runLoad(
  program: string,
  design: Pick<Design, 'target' | 'connectTo'>,
  mode: string,
  args: readonly (string | number)[],
): Promise<LoadResult> {
  const { target } = design
  const child = spawn(program, [mode, target.host, String(target.port), ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...clientEnv(design) },
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (text: Buffer) => (output.stdout += text.toString('utf8')))
  child.stderr.on('data', (text: Buffer) => (output.stderr += text.toString('utf8')))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`load ${mode} ${args.join(' ')}: ${output.stderr.trim() || `exit ${code}`}`)
  return JSON.parse(output.stdout) as LoadResult
}

/** The client's address, and an HTTP CONNECT first where the design wants one. */
export function clientEnv(design: Pick<Design, 'connectTo'>): Readonly<Record<string, string>> {
  return { SOURCE: CLIENT, ...(design.connectTo === undefined ? {} : { CONNECT: design.connectTo }) }
}
