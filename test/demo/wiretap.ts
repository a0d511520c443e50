import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Narrator } from './narrator.ts'

const MANIFEST = join(import.meta.dirname, 'manifests', 'wiretap.yaml')
const NAMESPACE = 'demo-wiretap'
const LISTEN_LIMIT_MS = 5_000

/** A wiretap on the link of the server's node: a pod in the node's own network, followed through `kubectl logs -f`. */
export class Wiretap implements AsyncDisposable {
  text = ''
  readonly #logs: ChildProcess
  readonly #waiting = new Set<() => void>()
  #errors = ''

  static async start(narrator: Narrator, serverIp: string): Promise<Wiretap> {
    const manifest = (await readFile(MANIFEST, 'utf8')).replaceAll('SERVER_IP', serverIp)
    await narrator.run('kubectl', ['apply', '-f', '-'], { input: manifest })
    await narrator.quiet('kubectl', [
      'wait',
      'pod',
      '-n',
      NAMESPACE,
      'wiretap',
      '--for=condition=Ready',
      '--timeout=30s',
    ])
    const tap = new Wiretap(narrator)
    if (!(await tap.listen((text) => text.includes('listening for'))))
      throw new Error(`the wiretap did not start; kubectl logs said: ${tap.#errors}${tap.text}`)
    return tap
  }

  private constructor(narrator: Narrator) {
    this.#logs = spawn('kubectl', ['logs', '-f', '-n', NAMESPACE, 'wiretap'], {
      env: narrator.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#logs.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    this.#logs.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.text += text
      for (const look of this.#waiting) look()
    })
  }

  /** Whether the wire shows it, now or within the limit. */
  async listen(test: (text: string) => boolean): Promise<boolean> {
    if (test(this.text)) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const look = (): void => {
      if (test(this.text)) resolve(true)
    }
    const timer = setTimeout(() => resolve(false), LISTEN_LIMIT_MS)
    this.#waiting.add(look)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(look)
    }
  }

  forget(): void {
    this.text = ''
  }

  /** TCP ports of the pods' side that packets were sent to when a connection was opened (SYN without ACK). */
  serverPorts(): number[] {
    return [...this.text.matchAll(/ > [^\s]+\.(\d+): Flags \[S\]/g)].map((match) => Number(match[1]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#logs.kill()
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#logs.exitCode !== null || this.#logs.signalCode !== null) resolve()
    else this.#logs.once('exit', () => resolve())
    await promise
  }
}
