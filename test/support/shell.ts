import type { Cluster } from './cluster.ts'
import { Follower } from './follow.ts'

const ANSWER_LIMIT_MS = 30_000

/** A shell that stays open in a pod: asking it costs a round trip, not a program start and a TLS handshake. */
export class PodShell implements AsyncDisposable {
  readonly #follower: Follower
  #asked = 0

  /** The pod is written `namespace/name`. */
  constructor(cluster: Cluster, pod: string) {
    const [namespace = '', name = ''] = pod.split('/')
    this.#follower = new Follower('kubectl', ['exec', '-i', '-n', namespace, name, '--', 'sh'], cluster.env)
  }

  /** What a line of shell prints, standard error included. One at a time. */
  async run(line: string): Promise<string> {
    const mark = `--end of ${++this.#asked}--`
    this.#follower.forget()
    this.#follower.write(`{ ${line}; } 2>&1; echo "${mark}"\n`)
    const text = await this.#follower.until((printed) => printed.includes(`${mark}\n`), ANSWER_LIMIT_MS, line)
    return text.slice(0, text.indexOf(mark))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#follower[Symbol.asyncDispose]()
  }
}
