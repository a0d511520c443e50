import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import type { Namespaces, Side } from './namespaces.ts'

/** Clock ticks per second in /proc/PID/stat; fixed at 100 on every architecture Node runs on. */
const TICKS_PER_SECOND = 100
const READY_TIMEOUT_MS = 20_000
const NEXT_SIGNAL_MS = 100

export interface StartOptions {
  readonly name: string
  readonly side: Side
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Takes what it writes to stdout, in place of this process. */
  readonly stdoutFile?: string
  /** By default SIGTERM. Where one is not enough, the next follows shortly. */
  readonly endBy?: readonly NodeJS.Signals[]
  /** Called until it returns true; by default a line `READY` on stdout is waited for. */
  readonly ready?: () => Promise<boolean>
}

/** A proxy, server or generator that is running. */
export class Process implements AsyncDisposable {
  readonly name: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #endBy: readonly NodeJS.Signals[]
  #tail = ''

  private constructor({ name, endBy = ['SIGTERM'] }: StartOptions, child: ChildProcess) {
    this.name = name
    this.#endBy = endBy
    this.#child = child
    this.#exited = once(child, 'exit')
    const keep = (text: Buffer): void => {
      this.#tail = (this.#tail + text.toString('utf8')).slice(-4000)
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
  }

  static async start(namespaces: Namespaces, options: StartOptions): Promise<Process> {
    const [program = '', ...args] = namespaces.command(options.side, options.command)
    const stdout = options.stdoutFile === undefined ? 'pipe' : openSync(options.stdoutFile, 'w')
    const child = spawn(program, args, { stdio: ['pipe', stdout, 'pipe'], env: { ...process.env, ...options.env } })
    if (typeof stdout === 'number') closeSync(stdout)
    const started = new Process(options, child)
    const deadline = Date.now() + READY_TIMEOUT_MS
    const ready = options.ready ?? (() => Promise.resolve(started.#tail.includes('READY')))
    while (!(await ready())) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await started[Symbol.asyncDispose]()
        throw new Error(`${options.name} did not get ready:\n${started.#tail}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    return started
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get tail(): string {
    return this.#tail
  }

  /** User and system time so far, in seconds, all threads. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }

  /** Memory of its own and its share of what it shares, in bytes. */
  residentBytes(): number {
    const text = readFileSync(`/proc/${this.#child.pid}/smaps_rollup`, 'utf8')
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024
  }

  /** Descriptors that are open. */
  descriptors(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length
  }

  endInput(): void {
    this.#child.stdin?.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.alive) return
    for (const signal of this.#endBy) {
      this.#child.kill(signal)
      await Promise.race([this.#exited, new Promise((resolve) => setTimeout(resolve, NEXT_SIGNAL_MS))])
    }
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 2000)
    await this.#exited
    clearTimeout(timer)
  }
}
