import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Cluster } from '../support/cluster.ts'

export interface Seen {
  readonly event: 'works' | 'fails' | 'held' | 'cut' | 'slow'
  readonly atMs: number
}

const PROBE = `${import.meta.dirname}/probe.ts`

/** The probe in a pod, and what it has seen so far. */
export class WatchedPod implements Disposable {
  readonly #child: ChildProcess
  readonly #seen: Seen[] = []
  #wake: () => void = () => undefined

  constructor(cluster: Cluster, pod: { readonly namespace: string; readonly name: string }, args: readonly string[]) {
    const command = [
      'exec',
      '-n',
      pod.namespace,
      pod.name,
      '--',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      PROBE,
    ]
    this.#child = spawn('kubectl', [...command, ...args], { env: cluster.env, stdio: ['ignore', 'pipe', 'inherit'] })
    if (this.#child.stdout === null) throw new TypeError('kubectl has no output')
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const seen = JSON.parse(line) as Seen
      if (seen.event === 'slow') process.stdout.write(`slow connection: ${line}\n`)
      this.#seen.push(seen)
      this.#wake()
    })
  }

  /** Forgets what was seen, so that the next `when` waits for what is new. */
  forget(): void {
    this.#seen.length = 0
  }

  /** Time of the first event of that kind since `forget`. */
  async when(event: Seen['event'], limitMs: number): Promise<number> {
    const deadline = performance.now() + limitMs
    for (;;) {
      const found = this.#seen.find((each) => each.event === event)
      if (found !== undefined) return found.atMs
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`the pod did not see "${event}" within ${limitMs} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill()
  }
}
