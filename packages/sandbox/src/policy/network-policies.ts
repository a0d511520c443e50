import { type Clock, type Logger, messageOf } from '@ambit/core'
import type { KubeObject } from '../apiserver/contract.types.ts'
import { runCommand } from '../host/run-command.ts'
import type { Tool } from '../host/tools.ts'
import type { NetworkPolicy } from '../objects/network-policy.types.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import type { Pod } from '../objects/pod.types.ts'
import { isolationOf, type PolicyPod, type PolicyWorld, selectsPod } from './isolation.ts'
import { policyRuleset } from './policy-ruleset.ts'

/** Changes that come together are applied together. */
const GATHER_MS = 3
const RETRY_MS = 500

/** A pod whose network is there and whose containers are not yet. */
export interface StartingPod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly node: string
  readonly ips: readonly string[]
}

/** Keeps the NetworkPolicies of the cluster in force on every node. */
export class NetworkPolicies implements Disposable {
  readonly #o: ConstructorParameters<typeof NetworkPolicies>[0]
  readonly #stack = new DisposableStack()
  /** By uid; until the API server knows their addresses. */
  readonly #starting = new Map<string, StartingPod>()
  readonly #applied = new Map<string, string>()
  #running: Promise<void> | undefined
  #again = false
  #closed = false

  constructor(o: {
    readonly nft: Tool
    readonly nodes: readonly { readonly name: string; readonly netns: string }[]
    readonly policies: ObjectCache<NetworkPolicy>
    readonly pods: ObjectCache<Pod>
    readonly namespaces: ObjectCache<KubeObject>
    /** Processes of the cluster itself that people write policies for as if they were pods: its name server. */
    readonly ownPods: readonly PolicyPod[]
    readonly logger: Logger
    readonly clock: Clock
  }) {
    this.#o = o
    const changed = (): void => void this.apply()
    this.#stack.use(o.policies.subscribe(changed))
    this.#stack.use(o.namespaces.subscribe(changed))
    this.#stack.use(
      o.pods.subscribe(({ type, object }) => {
        const { uid = '' } = object.metadata
        if (type === 'DELETED' || (object.status?.podIPs ?? []).length > 0) this.#starting.delete(uid)
        changed()
      }),
    )
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#stack.dispose()
  }

  /** Resolves when what policies say of the pod is in force: no container of it must run before. */
  async isolate(pod: StartingPod): Promise<void> {
    this.#starting.set(pod.uid, pod)
    const { labels = {} } = this.#o.pods.get(pod.namespace, pod.name)?.metadata ?? {}
    const selected = [...this.#o.policies.all()].some((policy) =>
      selectsPod(policy, { namespace: pod.namespace, labels }),
    )
    const applied = this.apply()
    // A pass that is under way has begun without this pod.
    if (selected) await applied.then(() => this.apply())
  }

  /** Forgets a pod whose start was given up. */
  release(uid: string): void {
    this.#starting.delete(uid)
  }

  /** Brings all nodes up to date. */
  apply(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true
      return this.#running
    }
    if (this.#applied.size === 0 && this.#o.policies.all().next().done === true) return Promise.resolve()
    this.#running = this.#work().finally(() => (this.#running = undefined))
    return this.#running
  }

  async #work(): Promise<void> {
    do {
      this.#again = false
      await this.#o.clock.sleep(GATHER_MS)
      if (this.#closed) return
      const world = this.#world()
      const results = await Promise.allSettled(this.#o.nodes.map((node) => this.#load(node, world)))
      const failure = results.find((result) => result.status === 'rejected')
      if (failure === undefined) continue
      this.#o.logger.error('network policies not applied, will retry', { error: messageOf(failure.reason) })
      await this.#o.clock.sleep(RETRY_MS)
      this.#again = true
    } while (this.#again && !this.#closed)
  }

  #world(): PolicyWorld {
    const { policies, pods, namespaces, ownPods } = this.#o
    return {
      policies: [...policies.all()],
      pods: [
        ...ownPods,
        ...[...pods.all()].flatMap((pod) => policyPod(pod, this.#starting.get(pod.metadata.uid ?? '')) ?? []),
      ],
      namespaceLabels: (name) => {
        const namespace = namespaces.get(undefined, name)
        return namespace === undefined ? undefined : (namespace.metadata.labels ?? {})
      },
    }
  }

  async #load(node: { readonly name: string; readonly netns: string }, world: PolicyWorld): Promise<void> {
    const ruleset = policyRuleset(isolationOf(world, node.name))
    if (this.#applied.get(node.name) === ruleset) return
    const env = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...this.#o.nft.env }
    await runCommand(['nsenter', `--net=${node.netns}`, this.#o.nft.path, '-f', '-'], { input: ruleset, env })
    this.#applied.set(node.name, ruleset)
  }
}

/** Pods of the node's own network and those that have ended are no concern of policies. */
export function policyPod(pod: Pod, starting: StartingPod | undefined): PolicyPod | undefined {
  const { spec, status, metadata } = pod
  if (spec.hostNetwork === true || status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined
  const known = (status?.podIPs ?? []).map(({ ip }) => ip)
  const ips = known.length > 0 ? known : (starting?.ips ?? [])
  if (ips.length === 0) return undefined
  const containers = [...spec.containers, ...(spec.initContainers ?? [])]
  return {
    namespace: metadata.namespace ?? '',
    labels: metadata.labels ?? {},
    ips,
    node: spec.nodeName ?? starting?.node ?? '',
    ports: containers.flatMap(({ ports = [] }) =>
      ports.flatMap(({ name, containerPort, protocol = 'TCP' }) =>
        name === undefined ? [] : [{ name, port: containerPort, protocol }],
      ),
    ),
  }
}
