import { ANNOTATIONS } from '@ambit/api'
import { abortable, type Logger } from '@ambit/core'
import {
  KINDS,
  KubeApiError,
  type KubeClient,
  type KubeObject,
  type ReadonlyObjectSet,
  watchObjects,
} from '@ambit/kube'
import type { ClusterApi, ClusterEvents, ClusterView, RedirectionState } from './cluster.types.ts'
import { decodeNamespace, decodePod, type NamespaceFacts, type PodFacts } from './pod-facts.ts'

interface PodObject extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

export interface ClusterOptions {
  readonly client: KubeClient
  readonly nodeName: string
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** The pods of one node and all namespaces, kept current by two watches. */
export class Cluster implements ClusterView, ClusterApi {
  readonly #client: KubeClient
  readonly #signal: AbortSignal
  readonly #podObjects: ReadonlyObjectSet<PodObject>
  readonly #namespaceObjects: ReadonlyObjectSet<KubeObject>
  readonly #pods = new Map<string, PodFacts>()
  readonly #namespaces = new Map<string, NamespaceFacts>()

  constructor({ client, nodeName, logger, signal }: ClusterOptions) {
    this.#client = client
    this.#signal = signal
    this.#podObjects = watchObjects<PodObject>({
      client,
      kind: KINDS.pod,
      fieldSelector: `spec.nodeName=${nodeName}`,
      logger,
      signal,
      trim: trimPod,
    })
    this.#namespaceObjects = watchObjects({ client, kind: KINDS.namespace, logger, signal, trim: trimNamespace })
    this.follow({ podChanged: () => undefined, podGone: () => undefined, namespaceChanged: () => undefined })
  }

  /** Resolves when the first lists are in; rejects when the watches end before. */
  async synced(): Promise<void> {
    await abortable(Promise.all([this.#podObjects.synced, this.#namespaceObjects.synced]), this.#signal)
  }

  /** Reports every change from now on; what is known already is reported as changed first. */
  follow(events: ClusterEvents): void {
    const putPod = (object: PodObject): void => {
      const pod = decodePod(object)
      if (pod === undefined) return
      this.#pods.set(pod.uid, pod)
      events.podChanged(pod)
    }
    const dropPod = (object: PodObject): void => {
      const uid = object.metadata.uid ?? ''
      this.#pods.delete(uid)
      events.podGone(uid)
    }
    const putNamespace = (object: KubeObject): void => {
      const namespace = decodeNamespace(object)
      if (namespace === undefined) return
      this.#namespaces.set(namespace.name, namespace)
      events.namespaceChanged(namespace)
    }
    this.#namespaceObjects.subscribe({
      add: putNamespace,
      update: putNamespace,
      delete: (object) => void this.#namespaces.delete(object.metadata.name),
    })
    this.#podObjects.subscribe({
      add: putPod,
      // A pod may be deleted and made anew under its name between two looks.
      update: (object, previous) => {
        if (object.metadata.uid !== previous.metadata.uid) dropPod(previous)
        putPod(object)
      },
      delete: dropPod,
    })
  }

  pods(): readonly PodFacts[] {
    return [...this.#pods.values()]
  }

  pod(uid: string): PodFacts | undefined {
    return this.#pods.get(uid)
  }

  podNamed(namespace: string, name: string): PodFacts | undefined {
    const object = this.#podObjects.get(namespace, name)
    return object === undefined ? undefined : decodePod(object)
  }

  namespace(name: string): NamespaceFacts | undefined {
    return this.#namespaces.get(name)
  }

  async readPod(namespace: string, name: string): Promise<PodFacts | undefined> {
    const object = await this.#client.get(KINDS.pod, { namespace, name })
    return object === undefined ? undefined : decodePod(object)
  }

  async readNamespace(name: string): Promise<NamespaceFacts | undefined> {
    const object = await this.#client.get(KINDS.namespace, { name })
    return object === undefined ? undefined : decodeNamespace(object)
  }

  async writeRedirection(pod: PodFacts, state: RedirectionState | undefined): Promise<void> {
    const annotations = { [ANNOTATIONS.redirection]: state ?? null }
    try {
      // The uid is a precondition: a successor of the same name must not be marked.
      await this.#client.mergePatch(
        KINDS.pod,
        pod,
        { metadata: { uid: pod.uid, annotations } },
        { subresource: 'status' },
      )
    } catch (error) {
      const replaced = error instanceof KubeApiError && (error.status === 404 || error.status === 409)
      if (!replaced) throw error
    }
  }
}

/** Memory is per pod of the node: only what decoding reads is kept. */
function trimPod({ apiVersion, kind, metadata, spec, status }: PodObject): PodObject {
  const { name, namespace, uid, resourceVersion, labels, annotations } = metadata
  return {
    apiVersion,
    kind,
    metadata: { name, ...defined({ namespace, uid, resourceVersion, labels, annotations }) },
    spec: { serviceAccountName: spec?.['serviceAccountName'], hostNetwork: spec?.['hostNetwork'] },
    status: { phase: status?.['phase'], podIP: status?.['podIP'], podIPs: status?.['podIPs'] },
  }
}

function trimNamespace({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, uid, resourceVersion, labels } = metadata
  return { apiVersion, kind, metadata: { name, ...defined({ uid, resourceVersion, labels }) } }
}

/** The entries that have a value, for types where absent and undefined differ. */
function defined<T extends object>(entries: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as never
}
