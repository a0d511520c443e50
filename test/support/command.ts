import { spawn } from 'node:child_process'

export interface CommandResult {
  /** What a person would type. */
  readonly line: string
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
  readonly signal?: AbortSignal | undefined
}

/** Runs a program to its end and keeps all it printed; any exit code is a result, not an error. */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const started = performance.now()
  const child = spawn(program, args, { env: options.env ?? process.env, signal: options.signal, stdio: 'pipe' })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({ line: commandLine(program, args), code: code ?? -1, stdout, stderr, ms: performance.now() - started }),
    )
  })
}

/** Words joined as a shell would need them. */
export function commandLine(program: string, args: readonly string[]): string {
  const name = program.split('/').at(-1) ?? program
  return [name, ...args]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ')
}

/** Whether a connection of curl was reset, by its exit code: mostly while it read, sometimes still while it wrote. */
export function wasReset(code: number): boolean {
  return code === 56 || code === 55
}
