import { messageOf } from '@ambit/core'
import type { KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import type { PodTemplate } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { LabelSelector, Pod, PodSpec } from '../objects/pod.types.ts'
import { Breath } from './breath.ts'
import { claimDependents } from './claim.ts'
import type { ControllerComponents } from './components.types.ts'
import { isActive, ownerReference, randomSuffix } from './ownership.ts'

export interface NewPod {
  /** Absent: the owner's name and a random suffix. */
  readonly name?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly finalizers?: readonly string[] | undefined
  readonly spec?: PodSpec | undefined
}

export interface PodWords {
  readonly created: (pod: string, owner: string) => string
  readonly deleted: (pod: string, owner: string) => string
}

const WORDS: PodWords = { created: (pod) => `Created pod: ${pod}`, deleted: (pod) => `Deleted pod: ${pod}` }

/** What controllers do to pods, each with its event; the cache knows of it at once. */
export class PodControl {
  readonly #components: ControllerComponents
  readonly #component: string
  readonly #words: PodWords
  readonly #breath = new Breath()

  constructor(components: ControllerComponents, component: string, words: PodWords = WORDS) {
    this.#components = components
    this.#component = component
    this.#words = words
  }

  /** The pods that are the owner's: fitting ones without an owner are adopted, own ones that no longer fit released. */
  async claim(
    owner: KubeObject,
    selector: LabelSelector,
    mayAdopt: (pod: Pod) => boolean = () => true,
  ): Promise<readonly Pod[]> {
    const { pods } = this.#components.caches
    const candidates = [...pods.controlledBy(owner.metadata.uid), ...pods.orphans(owner.metadata.namespace)]
    const { owned, adopt, release } = claimDependents(owner, selector, candidates)
    const adopted: Pod[] = []
    for (const pod of adopt.filter((one) => isActive(one) && mayAdopt(one))) {
      const others = pod.metadata.ownerReferences ?? []
      const taken = await this.#setOwners(pod, [...others, ownerReference(owner)])
      if (taken !== undefined) adopted.push(taken)
    }
    for (const pod of release) {
      const others = (pod.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid)
      await this.#setOwners(pod, others)
    }
    return [...owned, ...adopted]
  }

  async create(owner: KubeObject, template: PodTemplate, pod: NewPod = {}): Promise<Pod> {
    await this.#breath.take()
    const { caches, client } = this.#components
    const { name: ownerName = '', namespace } = owner.metadata
    const name = pod.name ?? `${ownerName}-${randomSuffix()}`
    try {
      const created = await client.create(GVR.pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name,
          ...(pod.name === undefined ? { generateName: `${ownerName}-` } : {}),
          namespace,
          labels: { ...template.metadata?.labels, ...pod.labels },
          annotations: { ...template.metadata?.annotations, ...pod.annotations },
          ...(pod.finalizers === undefined ? {} : { finalizers: [...pod.finalizers] }),
          ownerReferences: [ownerReference(owner)],
        },
        spec: pod.spec ?? template.spec,
      })
      caches.pods.note(created as Pod)
      this.#event(owner, 'Normal', 'SuccessfulCreate', this.#words.created(name, ownerName))
      return created as Pod
    } catch (error) {
      if (!isTerminating(error)) this.#event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`)
      throw error
    }
  }

  async delete(owner: KubeObject, pod: Pod): Promise<void> {
    const { namespace, name = '', uid } = pod.metadata
    if (pod.metadata.deletionTimestamp !== undefined) return
    await this.#breath.take()
    try {
      await this.#components.client.delete(GVR.pods, namespace, name, { preconditions: { uid } })
    } catch (error) {
      if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
    }
    await this.#refresh(pod)
    this.#event(owner, 'Normal', 'SuccessfulDelete', this.#words.deleted(name, owner.metadata.name ?? ''))
  }

  /** Lets a pod go that was held back for counting. */
  async removeFinalizer(pod: Pod, finalizer: string): Promise<void> {
    const finalizers = (pod.metadata.finalizers ?? []).filter((one) => one !== finalizer)
    await this.#patchMetadata(pod, { finalizers })
  }

  #setOwners(pod: Pod, ownerReferences: readonly object[]): Promise<Pod | undefined> {
    return this.#patchMetadata(pod, { ownerReferences })
  }

  /** Changes metadata of that very pod; undefined when it is no longer there. */
  async #patchMetadata(pod: Pod, change: Readonly<Record<string, unknown>>): Promise<Pod | undefined> {
    const { namespace, name = '', uid } = pod.metadata
    try {
      const patched = await this.#components.client.patch(GVR.pods, namespace, name, { metadata: { uid, ...change } })
      await this.#refresh(pod)
      return patched as Pod
    } catch (error) {
      if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
      return undefined
    }
  }

  async #refresh(pod: Pod): Promise<void> {
    const { caches, client } = this.#components
    const { namespace, name = '', uid } = pod.metadata
    try {
      const now = (await client.get(GVR.pods, namespace, name)) as Pod
      if (now.metadata.uid === uid) caches.pods.note(now)
      else caches.pods.noteGone(pod)
    } catch (error) {
      if (!hasStatus(error, 404)) throw error
      caches.pods.noteGone(pod)
    }
  }

  #event(owner: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#components.events.event(owner, { type, reason, message, component: this.#component })
  }
}

/** A namespace that is going takes nothing new: nothing to tell. */
function isTerminating(error: unknown): boolean {
  return hasStatus(error, 403) && messageOf(error).includes('because it is being terminated')
}
