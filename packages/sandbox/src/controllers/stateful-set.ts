import type { KubeObject, OwnerReference } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import { GVR } from '../objects/gvr.ts'
import type { Pod, PodSpec, Volume } from '../objects/pod.types.ts'
import type { ControllerRevision, StatefulSet } from '../objects/workloads.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { ControllerRevisions, REVISION_HASH, templateOf } from './controller-revisions.ts'
import { OwnerQueue } from './owner-queue.ts'
import { isEnded, isReady, msUntilAvailable, ownerReference, saysAlready, withoutZeros } from './ownership.ts'
import { PodControl } from './pod-control.ts'
import { ordinalOf, planStatefulSet } from './stateful-plan.ts'

const COMPONENT = 'statefulset-controller'

/** Keeps the members of each StatefulSet: named, numbered, one after the other. */
export class StatefulSetController implements Disposable {
  readonly #components: ControllerComponents
  readonly #pods: PodControl
  readonly #revisions: ControllerRevisions
  readonly #queue: OwnerQueue<StatefulSet, Pod>

  constructor(components: ControllerComponents) {
    this.#components = components
    this.#pods = new PodControl(components, COMPONENT, {
      created: (pod, owner) => `create Pod ${pod} in StatefulSet ${owner} successful`,
      deleted: (pod, owner) => `delete Pod ${pod} in StatefulSet ${owner} successful`,
    })
    this.#revisions = new ControllerRevisions(components)
    const { pods, statefulSets } = components.caches
    this.#queue = new OwnerQueue(components, {
      kind: 'StatefulSet',
      gvr: GVR.statefulSets,
      owners: statefulSets,
      dependents: pods,
      selectorOf: (set) => set.spec.selector,
      spacingMs: LIMITS.controllerSpacingMs,
      reconcile: (set) => this.#reconcile(set),
    })
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]()
  }

  async #reconcile(set: StatefulSet): Promise<void> {
    const { caches, clock } = this.#components
    const revisions = await this.#revisions.of(set)
    const update = revisions.current
    const current = revisions.all.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update
    const isMember = (pod: Pod): boolean => ordinalOf(set, pod) !== undefined
    const pods = (await this.#pods.claim(set, set.spec.selector, isMember)).filter(isMember)
    const [currentRevision, updateRevision] = [current.metadata.name ?? '', update.metadata.name ?? '']
    const plan = planStatefulSet({ set, pods, currentRevision, updateRevision, nowMs: clock.now() })
    for (const { pod, why } of plan.remove) {
      if (why === 'scaled') await this.#giveClaims(set, pod)
      await this.#pods.delete(set, pod)
    }
    for (const { ordinal, revision } of plan.create)
      await this.#create(set, ordinal, revision === currentRevision ? current : update)
    const members = caches.pods.controlledBy(set.metadata.uid).filter(isMember)
    await this.#writeStatus(set, members, currentRevision, updateRevision)
    const inUse = new Set(members.map(({ metadata }) => metadata.labels?.[REVISION_HASH] ?? ''))
    await this.#revisions.truncate(set, revisions, inUse.add(currentRevision))
  }

  async #create(set: StatefulSet, ordinal: number, revision: ControllerRevision): Promise<void> {
    const name = `${set.metadata.name}-${ordinal}`
    const template = templateOf(revision)
    for (const claim of claimsOf(set, ordinal)) await this.#createClaim(set, claim, name)
    await this.#pods.create(set, template, {
      name,
      labels: {
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal),
        [REVISION_HASH]: revision.metadata.name ?? '',
      },
      spec: memberSpec(set, template.spec, ordinal),
    })
  }

  async #createClaim(set: StatefulSet, claim: KubeObject, pod: string): Promise<void> {
    try {
      await this.#components.client.create(GVR.persistentVolumeClaims, claim)
    } catch (error) {
      // A member that comes back finds what it left.
      if (hasStatus(error, 409)) return
      throw error
    }
    const message = `create Claim ${claim.metadata.name} Pod ${pod} in StatefulSet ${set.metadata.name} success`
    this.#components.events.event(set, { type: 'Normal', reason: 'SuccessfulCreate', message, component: COMPONENT })
  }

  /** Claims of a member that is scaled away go with its pod, if the set says so. */
  async #giveClaims(set: StatefulSet, pod: Pod): Promise<void> {
    if (set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled !== 'Delete') return
    const { name: podName = '', uid = '' } = pod.metadata
    const owner: OwnerReference = { apiVersion: 'v1', kind: 'Pod', name: podName, uid }
    for (const { metadata } of claimsOf(set, ordinalOf(set, pod) ?? 0)) {
      const patch = { metadata: { ownerReferences: [owner] } }
      const { namespace, name = '' } = metadata
      const patched = this.#components.client.patch(GVR.persistentVolumeClaims, namespace, name, patch)
      await patched.catch((error: unknown) => {
        if (!hasStatus(error, 404)) throw error
      })
    }
  }

  async #writeStatus(
    set: StatefulSet,
    members: readonly Pod[],
    currentRevision: string,
    updateRevision: string,
  ): Promise<void> {
    const nowMs = this.#components.clock.now()
    const living = members.filter((pod) => !isEnded(pod))
    const steady = living.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const waits = steady.map((pod) => msUntilAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs))
    const soonest = Math.min(...waits.filter((wait) => wait !== undefined && wait > 0).map(Number))
    if (Number.isFinite(soonest)) this.#queue.addAfter(set, soonest)
    const at = (revision: string): number =>
      steady.filter(({ metadata }) => metadata.labels?.[REVISION_HASH] === revision).length
    const replicas = set.spec.replicas ?? 1
    const [updated, ready] = [at(updateRevision), steady.filter(isReady).length]
    const rolling = (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
    const done = rolling && updated === replicas && ready === replicas && living.length === replicas
    const status = {
      observedGeneration: set.metadata.generation ?? 0,
      replicas: living.length,
      readyReplicas: ready,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      updatedReplicas: updated,
      currentReplicas: done ? updated : at(currentRevision),
      currentRevision: done ? updateRevision : currentRevision,
      updateRevision,
      collisionCount: 0,
    }
    if (saysAlready(set.status, status)) return
    const { namespace, name = '' } = set.metadata
    const patch = { status: withoutZeros(status, ['replicas', 'availableReplicas', 'collisionCount']) }
    await this.#components.client.patch(GVR.statefulSets, namespace, name, patch, { subresource: 'status' })
  }
}

/** The claims of a member; they outlive it. */
function claimsOf(set: StatefulSet, ordinal: number): readonly KubeObject[] {
  const { name, namespace } = set.metadata
  const ownerless = set.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted !== 'Delete'
  const { controller: _, ...owner } = ownerReference(set)
  return (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `${metadata.name}-${name}-${ordinal}`,
      namespace,
      labels: { ...metadata.labels, ...set.spec.selector.matchLabels },
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ...(ownerless ? {} : { ownerReferences: [owner] }),
    },
    spec,
  }))
}

/** A template's spec as a member has it: its name as host name below the set's service, its own claims as volumes. */
function memberSpec(set: StatefulSet, spec: PodSpec, ordinal: number): PodSpec {
  const name = `${set.metadata.name}-${ordinal}`
  const claimed = (set.spec.volumeClaimTemplates ?? []).map(({ metadata }): Volume => {
    const volume = metadata.name ?? ''
    return { name: volume, persistentVolumeClaim: { claimName: `${volume}-${name}` } }
  })
  const others = (spec.volumes ?? []).filter((volume) => !claimed.some((one) => one.name === volume.name))
  return {
    ...spec,
    hostname: name,
    ...(set.spec.serviceName ? { subdomain: set.spec.serviceName } : {}),
    ...(claimed.length > 0 ? { volumes: [...others, ...claimed] } : {}),
  }
}
