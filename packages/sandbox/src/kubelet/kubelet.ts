import { type Closable, messageOf } from '@ambit/core'
import type { KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import type { ConfigMap, Secret } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import type { Pod } from '../objects/pod.types.ts'
import type { NodeComponents } from './components.types.ts'
import { type NodeMachine, nodeObject, nodeStatus } from './node-object.ts'
import { PodWorker } from './pod-worker.ts'

export interface KubeletCaches {
  readonly pods: ObjectCache<Pod>
  readonly configMaps: ObjectCache<ConfigMap>
  readonly secrets: ObjectCache<Secret>
}

const LEASE_NAMESPACE = 'kube-node-lease'
const LEASE_DURATION_S = 40
const HEARTBEAT_MS = 10_000
/** How often mounted tokens are looked at for renewal. */
const VOLUME_REFRESH_MS = 60_000
/** Grace of a pod whose object has been removed by force. */
const FORCED_GRACE_MS = 0

/** One node: registers it and runs the pods assigned to it. */
export class Kubelet implements Closable {
  readonly #components: NodeComponents
  readonly #caches: KubeletCaches
  readonly #machine: NodeMachine
  readonly #workers = new Map<string, PodWorker>()
  readonly #stack = new DisposableStack()
  readonly #abort = new AbortController()

  constructor(components: NodeComponents, caches: KubeletCaches, machine: NodeMachine) {
    this.#components = components
    this.#caches = caches
    this.#machine = machine
  }

  /** Registers the node as ready and begins to run pods. */
  async start(): Promise<void> {
    await this.#register()
    const { pods, configMaps, secrets } = this.#caches
    this.#stack.use(pods.subscribe(({ type, object }) => this.#onPod(type === 'DELETED', object)))
    for (const pod of pods.all()) this.#onPod(false, pod)
    const onSource = ({ object }: { object: KubeObject }): void => this.#refresh(object.metadata.namespace)
    this.#stack.use(configMaps.subscribe(onSource))
    this.#stack.use(secrets.subscribe(onSource))
    void this.#every(HEARTBEAT_MS, () => this.#heartbeat())
    void this.#every(VOLUME_REFRESH_MS, async () => this.#refresh(undefined))
  }

  /** The worker of a pod, if it runs here. */
  worker(namespace: string, name: string): PodWorker | undefined {
    const pod = this.#caches.pods.get(namespace, name)
    return this.#workers.get(pod?.metadata.uid ?? '')
  }

  async close(): Promise<void> {
    this.#abort.abort()
    this.#stack.dispose()
    await Promise.all([...this.#workers.values()].map((worker) => worker.terminate(0, false)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #onPod(deleted: boolean, pod: Pod): void {
    const uid = pod.metadata.uid ?? ''
    const worker = this.#workers.get(uid)
    if (deleted) {
      if (worker === undefined) return
      void worker.terminate(FORCED_GRACE_MS, false).then(() => this.#workers.delete(uid))
      return
    }
    if (worker !== undefined) return worker.update(pod)
    if (pod.spec.nodeName !== this.#components.node.name) return
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return
    const started = new PodWorker(this.#components, pod)
    this.#workers.set(uid, started)
    if (pod.metadata.deletionTimestamp !== undefined) started.update(pod)
  }

  #refresh(namespace: string | undefined): void {
    for (const worker of this.#workers.values()) {
      if (namespace === undefined || worker.pod.metadata.namespace === namespace) void worker.refreshVolumes()
    }
  }

  async #register(): Promise<void> {
    const { client, node, sandbox } = this.#components
    const object = nodeObject(node, this.#machine, sandbox.ipv6)
    try {
      await client.create(GVR.nodes, object)
    } catch (error) {
      if (!hasStatus(error, 409)) throw error
    }
    const status = nodeStatus(node, this.#machine, sandbox.ipv6, this.#now())
    await client.patch(GVR.nodes, undefined, node.name, { status }, { subresource: 'status' })
    await this.#heartbeat()
  }

  async #heartbeat(): Promise<void> {
    const { client, node } = this.#components
    const renewTime = new Date(this.#components.clock.now()).toISOString().replace(/Z$/, '000Z')
    try {
      await client.patch(GVR.leases, LEASE_NAMESPACE, node.name, { spec: { renewTime } })
    } catch (error) {
      if (!hasStatus(error, 404)) throw error
      await client.create(GVR.leases, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: node.name, namespace: LEASE_NAMESPACE },
        spec: { holderIdentity: node.name, leaseDurationSeconds: LEASE_DURATION_S, renewTime },
      })
    }
  }

  async #every(periodMs: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      await this.#components.clock.sleep(periodMs, signal).catch(() => undefined)
      if (signal.aborted) return
      try {
        await work()
      } catch (error) {
        this.#components.logger.warn(`node ${this.#components.node.name}: periodic work failed`, {
          error: messageOf(error),
        })
      }
    }
  }

  #now(): string {
    return new Date(this.#components.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  }
}
