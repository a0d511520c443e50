import type { KubeObject } from '../apiserver/contract.types.ts'
import { mergeConditions } from '../kubelet/pod-status.ts'
import type { Deployment, ReplicaSet } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { Condition } from '../objects/pod.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { OwnerQueue } from './owner-queue.ts'
import { controllerOf, ownerReference, templateHash } from './ownership.ts'
import { planRollingUpdate, rolloutBounds } from './rollout.ts'

const REVISION = 'deployment.kubernetes.io/revision'
const HASH = 'pod-template-hash'
const DEFAULT_HISTORY = 10
const DEFAULT_PROGRESS_S = 600

/** Makes Deployments come true by creating and sizing ReplicaSets. */
export class DeploymentController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: OwnerQueue<Deployment, ReplicaSet>

  constructor(components: ControllerComponents) {
    this.#components = components
    const { deployments, replicaSets } = components.caches
    this.#queue = new OwnerQueue(components, {
      kind: 'Deployment',
      gvr: GVR.deployments,
      owners: deployments,
      dependents: replicaSets,
      reconcile: (deployment) => this.#reconcile(deployment),
    })
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]()
  }

  async #reconcile(deployment: Deployment): Promise<void> {
    const { client } = this.#components
    const { namespace } = deployment.metadata
    const { items } = await client.list(GVR.replicaSets, { namespace })
    const owned = (items as ReplicaSet[]).filter((set) => controllerOf(set)?.uid === deployment.metadata.uid)
    const current = await this.#currentSet(deployment, owned)
    const old = owned.filter((set) => set.metadata.uid !== current?.metadata.uid).sort(byRevision)
    if (current !== undefined && deployment.spec.paused !== true) await this.#move(deployment, current, old)
    await this.#writeStatus(deployment, current, old)
    await this.#forgetOldRevisions(deployment, old)
  }

  /** The set of the present template, created or taken up again when needed. */
  async #currentSet(deployment: Deployment, owned: readonly ReplicaSet[]): Promise<ReplicaSet | undefined> {
    const hash = templateHash(deployment.spec.template)
    const revisions = owned.map(revisionOf)
    const existing = owned.find((set) => set.metadata.labels?.[HASH] === hash)
    if (existing === undefined && deployment.spec.paused === true) return undefined
    const highest = Math.max(0, ...owned.filter((set) => set !== existing).map(revisionOf))
    const revision =
      existing === undefined ? Math.max(0, ...revisions) + 1 : Math.max(revisionOf(existing), highest + 1)
    await this.#annotate(deployment, revision)
    if (existing !== undefined) {
      if (revisionOf(existing) === revision) return existing
      return (await this.#patchSet(existing, {
        metadata: { annotations: { [REVISION]: String(revision) } },
      })) as ReplicaSet
    }
    const { namespace, name } = deployment.metadata
    const { template, selector } = deployment.spec
    const labels = { ...template.metadata?.labels, [HASH]: hash }
    const created = await this.#components.client.create(GVR.replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${name}-${hash}`,
        ...(namespace === undefined ? {} : { namespace }),
        labels,
        annotations: { [REVISION]: String(revision) },
        ownerReferences: [ownerReference(deployment)],
      },
      spec: {
        replicas: 0,
        ...(deployment.spec.minReadySeconds === undefined ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
        selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    })
    return created as ReplicaSet
  }

  async #annotate(deployment: Deployment, revision: number): Promise<void> {
    if (deployment.metadata.annotations?.[REVISION] === String(revision)) return
    const { namespace, name = '' } = deployment.metadata
    await this.#components.client.patch(GVR.deployments, namespace, name, {
      metadata: { annotations: { [REVISION]: String(revision) } },
    })
  }

  async #move(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Promise<void> {
    const replicas = deployment.spec.replicas ?? 1
    if (deployment.spec.strategy?.type === 'Recreate') {
      for (const set of old) await this.#scale(deployment, set, 0)
      if (old.some((set) => (set.status?.replicas ?? 0) > 0)) return
      return await this.#scale(deployment, current, replicas)
    }
    const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {}
    const { surge, unavailable } = rolloutBounds(replicas, maxSurge, maxUnavailable)
    const plan = planRollingUpdate({ replicas, surge, unavailable, current: sizeOf(current), old: old.map(sizeOf) })
    for (const set of [current, ...old]) {
      const size = plan.get(set.metadata.name ?? '')
      if (size !== undefined) await this.#scale(deployment, set, size)
    }
  }

  async #scale(deployment: Deployment, set: ReplicaSet, replicas: number): Promise<void> {
    const before = set.spec.replicas ?? 0
    if (before === replicas) return
    await this.#patchSet(set, { spec: { replicas } })
    const message = `Scaled ${replicas > before ? 'up' : 'down'} replica set ${set.metadata.name} from ${before} to ${replicas}`
    this.#components.events.event(deployment, {
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message,
      component: 'deployment-controller',
    })
  }

  #patchSet(set: ReplicaSet, patch: Readonly<Record<string, unknown>>): Promise<KubeObject> {
    return this.#components.client.patch(GVR.replicaSets, set.metadata.namespace, set.metadata.name ?? '', patch)
  }

  async #writeStatus(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<void> {
    const nowMs = this.#components.clock.now()
    const nowIso = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z')
    const status = deploymentStatus(deployment, current, old, nowIso, nowMs)
    const progressing = status.conditions.find(({ type }) => type === 'Progressing')
    if (progressing?.reason === 'ReplicaSetUpdated') {
      this.#queue.addAfter(deployment, (deployment.spec.progressDeadlineSeconds ?? DEFAULT_PROGRESS_S) * 1000 + 1000)
    }
    if (sameStatus(deployment.status ?? {}, status)) return
    const { namespace, name = '' } = deployment.metadata
    await this.#components.client.patch(GVR.deployments, namespace, name, { status }, { subresource: 'status' })
  }

  async #forgetOldRevisions(deployment: Deployment, old: readonly ReplicaSet[]): Promise<void> {
    const unused = old.filter((set) => (set.spec.replicas ?? 0) === 0 && (set.status?.replicas ?? 0) === 0)
    const surplus = unused.length - (deployment.spec.revisionHistoryLimit ?? DEFAULT_HISTORY)
    for (const set of unused.slice(0, Math.max(0, surplus))) {
      await this.#components.client.delete(GVR.replicaSets, set.metadata.namespace, set.metadata.name ?? '')
    }
  }
}

function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0)
}

function byRevision(a: ReplicaSet, b: ReplicaSet): number {
  return revisionOf(a) - revisionOf(b)
}

function sizeOf(set: ReplicaSet): { name: string; replicas: number; available: number } {
  return {
    name: set.metadata.name ?? '',
    replicas: set.spec.replicas ?? 0,
    available: set.status?.availableReplicas ?? 0,
  }
}

interface DeploymentStatus {
  readonly conditions: readonly Condition[]
  readonly [key: string]: unknown
}

/** The status of a Deployment from its sets; what `kubectl rollout status` reads. */
export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  nowIso: string,
  nowMs: number,
): DeploymentStatus {
  const sets = current === undefined ? old : [current, ...old]
  const sum = (field: 'replicas' | 'readyReplicas' | 'availableReplicas'): number =>
    sets.reduce((total, set) => total + (set.status?.[field] ?? 0), 0)
  const replicas = deployment.spec.replicas ?? 1
  const available = sum('availableReplicas')
  const { unavailable } = rolloutBounds(
    replicas,
    deployment.spec.strategy?.rollingUpdate?.maxSurge,
    deployment.spec.strategy?.rollingUpdate?.maxUnavailable,
  )
  const enough = available >= replicas - unavailable
  const updated = current?.status?.replicas ?? 0
  const complete = updated === replicas && sum('replicas') === replicas && available === replicas
  const before = deployment.status?.conditions ?? []
  const wanted: Condition[] = [
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    progress(deployment, current, complete, nowMs),
  ]
  const conditions = mergeConditions(before, wanted, nowIso).map((condition) => {
    const old = before.find(({ type }) => type === condition.type)
    const same =
      old?.reason === condition.reason && old?.status === condition.status && old?.message === condition.message
    return { ...condition, lastUpdateTime: same ? (old?.lastUpdateTime ?? nowIso) : nowIso }
  })
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum('replicas'),
    updatedReplicas: updated,
    readyReplicas: sum('readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, Math.max(replicas, sum('replicas')) - available),
    conditions,
  }
}

function progress(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  complete: boolean,
  nowMs: number,
): Condition {
  const name = current?.metadata.name ?? ''
  if (complete) {
    return {
      type: 'Progressing',
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "${name}" has successfully progressed.`,
    }
  }
  const before = deployment.status?.conditions?.find(({ type }) => type === 'Progressing')
  const sameSet = before?.message?.includes(`"${name}"`) === true && before.reason !== 'NewReplicaSetAvailable'
  const since = sameSet ? Date.parse(before.lastUpdateTime ?? '') : nowMs
  if (nowMs - since > (deployment.spec.progressDeadlineSeconds ?? DEFAULT_PROGRESS_S) * 1000) {
    return {
      type: 'Progressing',
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: `ReplicaSet "${name}" has timed out progressing.`,
    }
  }
  return {
    type: 'Progressing',
    status: 'True',
    reason: 'ReplicaSetUpdated',
    message: `ReplicaSet "${name}" is progressing.`,
  }
}

function sameStatus(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(after).every(([key, value]) => JSON.stringify(before[key] ?? 0) === JSON.stringify(value))
}
