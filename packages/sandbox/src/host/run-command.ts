import { spawn } from 'node:child_process'
import { AmbitError } from '@ambit/core'
import { LIMITS } from '../limits.ts'

export class CommandError extends AmbitError {
  readonly code = 'SANDBOX_COMMAND_FAILED'
  readonly stderr: string
  readonly stdout: string

  constructor(command: readonly string[], how: string, output: { stdout: string; stderr: string }) {
    super(`${command.join(' ').slice(0, 300)}: ${how}${output.stderr === '' ? '' : `: ${output.stderr.trim()}`}`)
    this.stderr = output.stderr
    this.stdout = output.stdout
  }
}

export interface CommandOptions {
  readonly input?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Runs a helper program to its end; rejects with what it said on standard error unless it exits with 0. */
export function runCommand(command: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [program = '', ...args] = command
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? LIMITS.commandTimeoutMs,
    killSignal: 'SIGKILL',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  child.once('error', (error) => reject(new CommandError(command, error.message, { stdout: '', stderr: '' })))
  child.once('close', (code, signal) => {
    if (code === 0) resolve(stdout())
    else reject(new CommandError(command, `ended with ${signal ?? code}`, { stdout: stdout(), stderr: stderr() }))
  })
  return promise
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    if (size < LIMITS.commandOutputBytes) chunks.push(chunk)
    size += chunk.length
  })
  return () => Buffer.concat(chunks).toString().slice(0, LIMITS.commandOutputBytes)
}
