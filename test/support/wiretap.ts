import type { Cluster } from './cluster.ts'
import { Follower } from './follow.ts'

const NAMESPACE = 'wiretap'
const START_LIMIT_MS = 15_000
const SHOWN_LIMIT_MS = 5_000

/** Everything TCP of one address that passes the network of a node, read along by a pod in that network. */
export class Wiretap implements AsyncDisposable {
  readonly #logs: Follower

  static async start(
    cluster: Cluster,
    o: { readonly name: string; readonly node: string; readonly host: string },
  ): Promise<Wiretap> {
    await cluster.apply(`
apiVersion: v1
kind: Namespace
metadata: {name: ${NAMESPACE}}
---
apiVersion: v1
kind: Pod
metadata: {name: ${o.name}, namespace: ${NAMESPACE}}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ${o.node}}
  containers:
    - {name: wiretap, image: ambit/wiretap, args: [--host, '${o.host}'], securityContext: {capabilities: {add: [NET_RAW]}}}
`)
    await cluster.must('wait', 'pod', '-n', NAMESPACE, o.name, '--for=condition=Ready', '--timeout=30s')
    return await Wiretap.follow(cluster.env, NAMESPACE, o.name)
  }

  /** Reads along what a wiretap that is there already prints. */
  static async follow(env: NodeJS.ProcessEnv, namespace: string, pod: string): Promise<Wiretap> {
    const tap = new Wiretap(new Follower('kubectl', ['logs', '-f', '-n', namespace, pod], env))
    await tap.until((text) => text.includes('listening for'), 'the wiretap listens')
    return tap
  }

  private constructor(logs: Follower) {
    this.#logs = logs
  }

  get text(): string {
    return this.#logs.text
  }

  forget(): void {
    this.#logs.forget()
  }

  until(fits: (text: string) => boolean, what: string): Promise<string> {
    return this.#logs.until(fits, START_LIMIT_MS, what)
  }

  /** Whether the wire shows it, now or soon. */
  shows(fits: (text: string) => boolean): Promise<boolean> {
    return this.#logs.until(fits, SHOWN_LIMIT_MS, 'the wire shows it').then(
      () => true,
      () => false,
    )
  }

  /** Ports that connections were opened to (SYN without ACK). */
  openedPorts(): number[] {
    const ports = [...this.text.matchAll(/ > \S+\.(\d+): Flags \[S\]/g)].map((match) => Number(match[1]))
    return [...new Set(ports)]
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#logs[Symbol.asyncDispose]()
  }
}
