import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import type { Deployment, ReplicaSet } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import { claimDependents } from './claim.ts'
import type { ControllerComponents } from './components.types.ts'
import {
  boundsOf,
  byRevision,
  isRecreate,
  maxBefore,
  newSet,
  REVISION,
  revisionOf,
  setAnnotations,
  setOfTemplate,
  sizeAnnotations,
  sizedForAnother,
  sizeOf,
  surgeOf,
} from './deployment-sets.ts'
import { deploymentStatus, isComplete, msToDeadline } from './deployment-status.ts'
import { OwnerQueue } from './owner-queue.ts'
import { controllerOf, isEnded, isoTime, ownerReference, saysAlready, withoutZeros } from './ownership.ts'
import { planProportionalScale, planRollingUpdate } from './rollout.ts'

const DEFAULT_HISTORY = 10

/** Makes Deployments come true by creating and sizing ReplicaSets. */
export class DeploymentController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: OwnerQueue<Deployment, ReplicaSet>
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { deployments, pods, replicaSets } = components.caches
    this.#queue = this.#stack.use(
      new OwnerQueue(components, {
        kind: 'Deployment',
        gvr: GVR.deployments,
        owners: deployments,
        dependents: replicaSets,
        selectorOf: (deployment) => deployment.spec.selector,
        spacingMs: LIMITS.controllerSpacingMs,
        reconcile: (deployment) => this.#reconcile(deployment),
      }),
    )
    this.#stack.use(
      pods.subscribe(({ type, object }) => {
        if (type === 'DELETED') this.#onPodGone(object.metadata.namespace, controllerOf(object)?.name)
      }),
    )
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  /** A Deployment that recreates waits for the last pod of the old set. */
  #onPodGone(namespace: string | undefined, setName: string | undefined): void {
    const { deployments, replicaSets } = this.#components.caches
    const owner = controllerOf(replicaSets.get(namespace, setName ?? '') ?? NOTHING)
    const deployment = deployments.get(namespace, owner?.name ?? '')
    if (deployment !== undefined && isRecreate(deployment)) this.#queue.add(deployment)
  }

  async #reconcile(deployment: Deployment): Promise<void> {
    const sets = await this.#claim(deployment)
    const paused = deployment.spec.paused === true
    const scaled = sets.some((set) => sizedForAnother(deployment, set))
    let current = setOfTemplate(deployment, sets)
    let old = sets.filter(({ metadata }) => metadata.uid !== current?.metadata.uid)
    if (!paused) current = await this.#takeUp(deployment, current, old)
    else if (current !== undefined) current = await this.#annotateSet(deployment, current, revisionOf(current))
    if (paused || scaled) [current, old] = await this.#resize(deployment, current, old)
    else if (current !== undefined) [current, old] = await this.#move(deployment, current, old)
    await this.#writeStatus(deployment, current, old)
    await this.#forgetOldRevisions(deployment, current, old)
  }

  /** All sets of a Deployment, oldest revision first. */
  async #claim(deployment: Deployment): Promise<ReplicaSet[]> {
    const { replicaSets } = this.#components.caches
    const { namespace, uid } = deployment.metadata
    const candidates = [...replicaSets.controlledBy(uid), ...replicaSets.orphans(namespace)]
    const { owned, adopt, release } = claimDependents(deployment, deployment.spec.selector, candidates)
    const adopted: ReplicaSet[] = []
    for (const set of adopt)
      adopted.push(
        await this.#patchSet(set, {
          metadata: { ownerReferences: [...(set.metadata.ownerReferences ?? []), ownerReference(deployment)] },
        }),
      )
    for (const set of release) {
      const others = (set.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid)
      await this.#patchSet(set, { metadata: { ownerReferences: others } })
    }
    return [...owned, ...adopted].sort(byRevision)
  }

  /** The set of the present template, created when there is none, with the newest revision. */
  async #takeUp(
    deployment: Deployment,
    existing: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<ReplicaSet> {
    const highest = Math.max(0, ...old.map(revisionOf))
    const revision = existing === undefined ? highest + 1 : Math.max(revisionOf(existing), highest + 1)
    await this.#annotate(deployment, revision)
    if (existing !== undefined) return await this.#annotateSet(deployment, existing, revision)
    const replicas = deployment.spec.replicas ?? 1
    const total = old.reduce((sum, set) => sum + sizeOf(set), 0)
    const room = isRecreate(deployment)
      ? this.#isRecreating(old)
        ? 0
        : replicas
      : Math.max(0, Math.min(replicas, replicas + surgeOf(deployment) - total))
    try {
      const created = await this.#components.client.create(GVR.replicaSets, newSet(deployment, revision, room))
      this.#components.caches.replicaSets.note(created as ReplicaSet)
      if (room > 0) this.#tellScaled(deployment, created as ReplicaSet, 0, room)
      return created as ReplicaSet
    } catch (error) {
      // Another's set has the name: the next hash is a different one.
      if (hasStatus(error, 409)) await this.#countCollision(deployment)
      throw error
    }
  }

  async #countCollision(deployment: Deployment): Promise<void> {
    const status = { collisionCount: (deployment.status?.collisionCount ?? 0) + 1 }
    const { namespace, name = '' } = deployment.metadata
    await this.#components.client.patch(GVR.deployments, namespace, name, { status }, { subresource: 'status' })
  }

  async #annotate(deployment: Deployment, revision: number): Promise<void> {
    if (deployment.metadata.annotations?.[REVISION] === String(revision)) return
    const { namespace, name = '' } = deployment.metadata
    await this.#components.client.patch(GVR.deployments, namespace, name, {
      metadata: { annotations: { [REVISION]: String(revision) } },
    })
  }

  /** What is told of the Deployment, such as a change's cause, is told of its present set. */
  async #annotateSet(deployment: Deployment, set: ReplicaSet, revision: number): Promise<ReplicaSet> {
    // The size is remembered only when the set is sized.
    const sizes = Object.keys(sizeAnnotations(deployment)).map((key) => [key, set.metadata.annotations?.[key]])
    const annotations = { ...setAnnotations(deployment, set, revision), ...Object.fromEntries(sizes) }
    const minReadySeconds = deployment.spec.minReadySeconds ?? 0
    const sameReady = (set.spec.minReadySeconds ?? 0) === minReadySeconds
    if (saysAlready(set.metadata.annotations, annotations) && sameReady) return set
    return await this.#patchSet(set, { metadata: { annotations }, ...(sameReady ? {} : { spec: { minReadySeconds } }) })
  }

  async #move(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Promise<Sets> {
    const replicas = deployment.spec.replicas ?? 1
    if (isRecreate(deployment)) {
      const stopped = await this.#scaleAll(deployment, old, new Map(old.map((set) => [set.metadata.name ?? '', 0])))
      if (this.#isRecreating(stopped)) return [current, stopped]
      return [await this.#scale(deployment, current, replicas), stopped]
    }
    const plan = planRollingUpdate({
      replicas,
      ...boundsOf(deployment),
      current: stateOf(current),
      old: old.map(stateOf),
    })
    return [
      await this.#scale(deployment, current, plan.get(current.metadata.name ?? '') ?? sizeOf(current)),
      await this.#scaleAll(deployment, old, plan),
    ]
  }

  /** Whether pods of an old set are still there. */
  #isRecreating(old: readonly ReplicaSet[]): boolean {
    const { pods } = this.#components.caches
    return old.some((set) => pods.controlledBy(set.metadata.uid).some((pod) => !isEnded(pod)))
  }

  /** A new size of the Deployment, shared out over the sets that have pods. */
  async #resize(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<[ReplicaSet | undefined, ReplicaSet[]]> {
    const replicas = deployment.spec.replicas ?? 1
    const all = current === undefined ? [...old] : [...old, current]
    const active = all.filter((set) => sizeOf(set) > 0)
    let plan: ReadonlyMap<string, number> = new Map()
    const [only = all.at(-1)] = active
    if (active.length <= 1) plan = new Map(only === undefined ? [] : [[only.metadata.name ?? '', replicas]])
    else if (!isRecreate(deployment)) {
      const sets = active.map((set) => ({
        name: set.metadata.name ?? '',
        replicas: sizeOf(set),
        maxBefore: maxBefore(set),
      }))
      // Scaled already: the sizes are a rollout's that is under way.
      if (active.some((set) => sizedForAnother(deployment, set)))
        plan = planProportionalScale({ replicas, surge: surgeOf(deployment), sets })
    }
    const sized = await this.#scaleAll(deployment, all, plan)
    return current === undefined ? [undefined, sized] : [sized.at(-1), sized.slice(0, -1)]
  }

  async #scaleAll(
    deployment: Deployment,
    sets: readonly ReplicaSet[],
    plan: ReadonlyMap<string, number>,
  ): Promise<ReplicaSet[]> {
    const scaled: ReplicaSet[] = []
    for (const set of sets)
      scaled.push(await this.#scale(deployment, set, plan.get(set.metadata.name ?? '') ?? sizeOf(set)))
    return scaled
  }

  async #scale(deployment: Deployment, set: ReplicaSet, replicas: number): Promise<ReplicaSet> {
    const before = sizeOf(set)
    const annotations = sizeAnnotations(deployment)
    const remembered = (before === 0 && replicas === 0) || saysAlready(set.metadata.annotations, annotations)
    if (before === replicas && remembered) return set
    const scaled = await this.#patchSet(set, { metadata: { annotations }, spec: { replicas } })
    if (before !== replicas) this.#tellScaled(deployment, set, before, replicas)
    return scaled
  }

  #tellScaled(deployment: Deployment, set: ReplicaSet, before: number, replicas: number): void {
    this.#components.events.event(deployment, {
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message: `Scaled ${replicas > before ? 'up' : 'down'} replica set ${set.metadata.name} from ${before} to ${replicas}`,
      component: 'deployment-controller',
    })
  }

  async #patchSet(set: ReplicaSet, patch: Readonly<Record<string, unknown>>): Promise<ReplicaSet> {
    const { namespace, name = '' } = set.metadata
    const patched = (await this.#components.client.patch(GVR.replicaSets, namespace, name, patch)) as ReplicaSet
    this.#components.caches.replicaSets.note(patched)
    return patched
  }

  async #writeStatus(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<void> {
    const nowMs = this.#components.clock.now()
    const status = deploymentStatus(deployment, current, old, isoTime(nowMs), nowMs)
    const deadlineMs = msToDeadline(deployment, status, nowMs)
    if (deadlineMs !== undefined) this.#queue.addAfter(deployment, deadlineMs)
    if (saysAlready(deployment.status, { ...status })) return
    const { namespace, name = '' } = deployment.metadata
    const patch = { status: withoutZeros({ ...status }) }
    await this.#components.client.patch(GVR.deployments, namespace, name, patch, { subresource: 'status' })
  }

  async #forgetOldRevisions(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<void> {
    const nowMs = this.#components.clock.now()
    if (!isComplete(deployment, deploymentStatus(deployment, current, old, isoTime(nowMs), nowMs))) return
    const unused = old.filter((set) => sizeOf(set) === 0 && (set.status?.replicas ?? 0) === 0)
    const surplus = unused.length - (deployment.spec.revisionHistoryLimit ?? DEFAULT_HISTORY)
    for (const set of unused.slice(0, Math.max(0, surplus))) {
      const { namespace, name = '', uid } = set.metadata
      await this.#components.client.delete(GVR.replicaSets, namespace, name, { preconditions: { uid } })
      this.#components.caches.replicaSets.noteGone(set)
    }
  }
}

type Sets = [ReplicaSet, ReplicaSet[]]

const NOTHING = { apiVersion: '', kind: '', metadata: {} }

function stateOf(set: ReplicaSet): { name: string; replicas: number; available: number } {
  return { name: set.metadata.name ?? '', replicas: sizeOf(set), available: set.status?.availableReplicas ?? 0 }
}
