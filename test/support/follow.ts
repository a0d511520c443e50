import { type ChildProcess, spawn } from 'node:child_process'

/** A program that keeps printing, such as `kubectl logs -f`; disposing ends it. */
export class Follower implements AsyncDisposable {
  text = ''
  readonly exited: Promise<number>
  readonly #child: ChildProcess
  readonly #looking = new Set<() => void>()

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#add(text))
    this.exited = new Promise((resolve) =>
      this.#child.once('close', (code) => {
        resolve(code ?? -1)
        this.#add('')
      }),
    )
  }

  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Resolves with all that was printed as soon as it fits; rejects when it doesn't within the time. */
  async until(fits: (text: string) => boolean, limitMs: number, what: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const look = (): void => {
      if (fits(this.text)) resolve(this.text)
    }
    const timer = setTimeout(
      () => reject(new Error(`${what}: not within ${limitMs} ms; printed so far:\n${this.text.slice(-4000)}`)),
      limitMs,
    )
    this.#looking.add(look)
    look()
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#looking.delete(look)
    }
  }

  /** Forgets what was printed up to now. */
  forget(): void {
    this.text = ''
  }

  /** As Ctrl-C does; answers the exit code. */
  async interrupt(): Promise<number> {
    this.#child.kill('SIGINT')
    return await this.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.exited
  }

  #add(text: string): void {
    this.text += text
    for (const look of this.#looking) look()
  }
}
