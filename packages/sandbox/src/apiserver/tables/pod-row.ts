import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, textOf } from '../json.ts'
import { ageOf, humanDuration } from './duration.ts'

export interface PodSummary {
  readonly ready: string
  readonly status: string
  readonly restarts: string
}

/** Readiness, status and restarts of a pod in kubectl's words. */
export function summarizePod(pod: KubeObject, nowMs: number): PodSummary {
  const containers = arrayOf(at(pod, 'spec', 'containers'))
  const statuses = arrayOf(at(pod, 'status', 'containerStatuses'))
  const ready = statuses.filter((status) => at(status, 'ready') === true).length
  const restarts = statuses.reduce<number>((sum, status) => sum + Number(at(status, 'restartCount') ?? 0), 0)
  const lastFinish = statuses
    .map((status) => Date.parse(String(at(status, 'lastState', 'terminated', 'finishedAt'))))
    .filter((time) => !Number.isNaN(time))
    .sort((a, b) => b - a)[0]
  const since = restarts > 0 && lastFinish !== undefined ? ` (${humanDuration(nowMs - lastFinish)} ago)` : ''
  return { ready: `${ready}/${containers.length}`, status: statusOf(pod, statuses), restarts: `${restarts}${since}` }
}

function statusOf(pod: KubeObject, statuses: readonly unknown[]): string {
  const phase = textOf(at(pod, 'status', 'phase') ?? 'Unknown')
  let reason = textOf(at(pod, 'status', 'reason') ?? phase)
  let running = false
  const init = initReason(pod)
  if (init !== undefined) reason = init
  else {
    for (const status of statuses.toReversed()) {
      const waiting = at(status, 'state', 'waiting', 'reason')
      const terminated = at(status, 'state', 'terminated')
      if (waiting) reason = textOf(waiting)
      else if (terminated) reason = terminatedReason(terminated)
      else if (at(status, 'ready') === true && at(status, 'state', 'running')) running = true
    }
    if (reason === 'Completed' && running) reason = 'Running'
  }
  if (pod.metadata.deletionTimestamp === undefined) return reason
  return at(pod, 'status', 'reason') === 'NodeLost' ? 'Unknown' : 'Terminating'
}

function terminatedReason(terminated: unknown): string {
  const reason = at(terminated, 'reason')
  if (reason) return textOf(reason)
  const signal = at(terminated, 'signal')
  return signal ? `Signal:${textOf(signal)}` : `ExitCode:${textOf(at(terminated, 'exitCode'))}`
}

function initReason(pod: KubeObject): string | undefined {
  const statuses = arrayOf(at(pod, 'status', 'initContainerStatuses'))
  const total = arrayOf(at(pod, 'spec', 'initContainers')).length
  for (const [index, status] of statuses.entries()) {
    const terminated = at(status, 'state', 'terminated')
    if (terminated && at(terminated, 'exitCode') === 0) continue
    if (terminated) return `Init:${terminatedReason(terminated)}`
    const waiting = at(status, 'state', 'waiting', 'reason')
    if (waiting && waiting !== 'PodInitializing') return `Init:${textOf(waiting)}`
    return `Init:${index}/${total}`
  }
  return undefined
}

/** Cells of a pod's row. */
export function podCells(pod: KubeObject, nowMs: number): readonly unknown[] {
  const { ready, status, restarts } = summarizePod(pod, nowMs)
  const gates = arrayOf(at(pod, 'spec', 'readinessGates'))
  const conditions = arrayOf(at(pod, 'status', 'conditions'))
  const open = gates.filter((gate) =>
    conditions.some((item) => at(item, 'type') === at(gate, 'conditionType') && at(item, 'status') === 'True'),
  )
  return [
    pod.metadata.name,
    ready,
    status,
    restarts,
    ageOf(pod.metadata.creationTimestamp, nowMs),
    at(pod, 'status', 'podIP') ?? '<none>',
    at(pod, 'spec', 'nodeName') || '<none>',
    at(pod, 'status', 'nominatedNodeName') || '<none>',
    gates.length === 0 ? '<none>' : `${open.length}/${gates.length}`,
  ]
}
