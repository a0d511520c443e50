import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { AmbitError } from '@ambit/core'
import { TOOL_STDERR_CHARS, TOOL_TIMEOUT_MS } from './limits.ts'
import type { Netns } from './netns.ts'

/** `nft` or `ip` refused. `stderr` is what it said, `exitCode` undefined when it was killed or never started. */
export class ToolError extends AmbitError {
  override readonly code = 'TOOL_FAILED'
  readonly stderr: string
  readonly exitCode: number | undefined

  constructor(message: string, details: { stderr: string; exitCode: number | undefined; cause?: unknown }) {
    super(message, { cause: details.cause })
    this.stderr = details.stderr
    this.exitCode = details.exitCode
  }
}

/** Starts a program inside the namespace: a child inherits the one its parent's thread is in. */
export function spawnIn(
  netns: Netns,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  return netns.run(() => spawn(command, args, options))
}

async function runTool(netns: Netns, command: string, args: readonly string[], input: string): Promise<string> {
  const child = netns.run(() => spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: TOOL_TIMEOUT_MS }))
  const exited = new Promise<number | undefined>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? undefined))
  })
  // It may exit before it has read everything; the exit code tells why.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const what = `${command} ${args.join(' ')}`
  try {
    const [exitCode, stdout, stderr] = await Promise.all([exited, text(child.stdout), text(child.stderr)])
    if (exitCode === 0) return stdout
    throw new ToolError(`${what} failed with ${exitCode ?? 'a signal'}: ${stderr.slice(0, TOOL_STDERR_CHARS).trim()}`, {
      stderr: stderr.slice(0, TOOL_STDERR_CHARS),
      exitCode,
    })
  } catch (cause) {
    if (cause instanceof ToolError) throw cause
    throw new ToolError(`${what} could not be started; is the program installed and on PATH?`, {
      stderr: '',
      exitCode: undefined,
      cause,
    })
  }
}

/** Loads a script of nft commands; it is applied as one transaction or not at all. */
export async function runNft(netns: Netns, script: string): Promise<void> {
  await runTool(netns, 'nft', ['-f', '-'], script)
}

/** What `nft` prints for a listing command such as `list ruleset`. */
export function readNft(netns: Netns, args: readonly string[]): Promise<string> {
  return runTool(netns, 'nft', args, '')
}

export interface IpBatchOptions {
  /** Family of lines that name no address, such as rules with a mark. */
  readonly family?: 4 | 6 | undefined
  /** Go on after a failing line; the failure is still reported at the end. */
  readonly force?: boolean | undefined
}

/** Runs `ip` commands, one per line without the leading `ip`, in one process. */
export async function runIp(netns: Netns, batch: readonly string[], options: IpBatchOptions = {}): Promise<void> {
  if (batch.length === 0) return
  const family = options.family === undefined ? [] : [`-${options.family}`]
  const force = options.force === true ? ['-force'] : []
  await runTool(netns, 'ip', [...family, ...force, '-batch', '-'], `${batch.join('\n')}\n`)
}

/** What `ip` prints, for example for `['-j', 'rule', 'show']`. */
export function readIp(netns: Netns, args: readonly string[]): Promise<string> {
  return runTool(netns, 'ip', args, '')
}
