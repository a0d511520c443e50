import type { Condition, ContainerStatus, Pod, PodStatus } from '../objects/pod.types.ts'

export interface PodView {
  readonly pod: Pod
  readonly init: readonly ContainerStatus[]
  readonly main: readonly ContainerStatus[]
  readonly ephemeral: readonly ContainerStatus[]
  readonly initialized: boolean
  readonly sandboxReady: boolean
  readonly ips: readonly string[]
  readonly hostIp: string
  readonly startTime: string
  readonly nowIso: string
  /** Set when the pod has run to its end. */
  readonly finished: 'Succeeded' | 'Failed' | undefined
  /** Why the pod was ended, when it didn't end by itself. */
  readonly ended?: { readonly reason: string; readonly message: string } | undefined
}

/** The status a pod shows, from what its node knows of it. */
export function podStatus(view: PodView): PodStatus {
  const sidecars = view.init.filter(({ name }) =>
    view.pod.spec.initContainers?.some((container) => container.name === name && container.restartPolicy === 'Always'),
  )
  const counted = [...sidecars, ...view.main]
  const ready = view.main.length > 0 && counted.every((status) => status.ready) && view.initialized
  const unready = counted.filter((status) => !status.ready).map((status) => status.name)
  const gates = view.pod.spec.readinessGates ?? []
  const old = view.pod.status?.conditions ?? []
  const gatesOpen = gates.every(({ conditionType }) =>
    old.some(({ type, status }) => type === conditionType && status === 'True'),
  )
  const containersWhy = view.finished
    ? { reason: 'PodCompleted' }
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
  const readyWhy = ready && !gatesOpen ? { reason: 'ReadinessGatesNotReady' } : containersWhy
  const wanted: Condition[] = [
    condition('PodReadyToStartContainers', view.sandboxReady),
    condition('Initialized', view.initialized, { reason: view.finished ? 'PodCompleted' : 'ContainersNotInitialized' }),
    condition('Ready', ready && gatesOpen, readyWhy),
    condition('ContainersReady', ready, containersWhy),
    condition('PodScheduled', true),
  ]
  return {
    phase: phaseOf(view),
    ...view.ended,
    conditions: mergeConditions(old, wanted, view.nowIso),
    hostIP: view.hostIp,
    ...({ hostIPs: [{ ip: view.hostIp }] } as object),
    ...(view.ips[0] === undefined ? {} : { podIP: view.ips[0], podIPs: view.ips.map((ip) => ({ ip })) }),
    startTime: view.startTime,
    ...(view.init.length === 0 ? {} : { initContainerStatuses: view.init }),
    containerStatuses: view.main,
    ...(view.ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: view.ephemeral }),
    qosClass: view.pod.status?.qosClass ?? 'BestEffort',
  }
}

function phaseOf(view: PodView): string {
  if (view.finished !== undefined) return view.finished
  const begun =
    view.main.length > 0 &&
    view.main.every(({ state, restartCount }) => state.running ?? state.terminated ?? restartCount > 0)
  return view.initialized && begun ? 'Running' : 'Pending'
}

function condition(
  type: string,
  met: boolean,
  why: { readonly reason?: string; readonly message?: string } = {},
): Condition {
  return { type, status: met ? 'True' : 'False', ...(met ? {} : why) }
}

/** New conditions over old ones: an unchanged status keeps its time, conditions of others stay. */
export function mergeConditions(old: readonly Condition[], wanted: readonly Condition[], nowIso: string): Condition[] {
  const others = old.filter(({ type }) => !wanted.some((condition) => condition.type === type))
  const merged = wanted.map((condition) => {
    const before = old.find(({ type }) => type === condition.type)
    const lastTransitionTime = before?.status === condition.status ? (before.lastTransitionTime ?? nowIso) : nowIso
    return { ...condition, lastTransitionTime }
  })
  return [...merged, ...others]
}

/** How a pod ends whose containers have all ended for good. */
export function finishedPhase(exitCodes: readonly number[]): 'Succeeded' | 'Failed' {
  return exitCodes.every((code) => code === 0) ? 'Succeeded' : 'Failed'
}

/** Whether a container that ended is started again. */
export function restarts(policy: string | undefined, exitCode: number): boolean {
  if (policy === 'Never') return false
  return policy === 'OnFailure' ? exitCode !== 0 : true
}
