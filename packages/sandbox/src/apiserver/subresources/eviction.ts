import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf } from '../json.ts'
import type { AdmittedService } from '../resources/admitted-service.ts'
import type { ApiService } from '../resources/api-service.ts'
import { timestamp } from '../resources/object-meta.ts'
import type { RequestContext } from '../resources/request-context.ts'
import type { ResourceRegistry } from '../resources/resource-registry.ts'
import type { Target } from '../resources/target.ts'
import { StatusError } from '../status-error.ts'
import { matchesLabelSelector } from '../store/selectors.ts'

const CANNOT = "Cannot evict pod as it would violate the pod's disruption budget."
/** How long a budget may take to be counted after a change of it. */
const RETRY_AFTER_S = 10

export interface EvictionComponents {
  readonly service: ApiService
  readonly admitted: AdmittedService
  readonly registry: ResourceRegistry
}

/** POST pods/eviction: deletion, if the pod's disruption budget has one to give. */
export async function evict(
  components: EvictionComponents,
  target: Target,
  body: JsonObject,
  context: RequestContext,
  nowMs: number,
): Promise<JsonObject> {
  const { admitted, service } = components
  const options = objectOf(body['deleteOptions'])
  const pod = service.get(target)
  const dryRun = context.dryRun || arrayOf(options['dryRun']).includes('All')
  const asked: RequestContext = { ...context, dryRun }
  if (!isLeaving(pod)) takeFromBudget(components, pod, nowMs, asked)
  if (!dryRun) service.patch({ ...target, subresource: 'status' }, (now) => disrupted(now, nowMs), context)
  const grace = options['gracePeriodSeconds']
  const preconditions = isObject(options['preconditions'])
    ? { uid: textAt(options['preconditions'], 'uid') }
    : undefined
  const gracePeriodSeconds = typeof grace === 'number' ? grace : undefined
  await admitted.delete(target, { gracePeriodSeconds, preconditions }, asked)
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }
}

/** Pods that don't run, or not for long, cost no budget. */
function isLeaving(pod: KubeObject): boolean {
  const phase = at(pod, 'status', 'phase')
  return (
    pod.metadata.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending'
  )
}

function takeFromBudget(components: EvictionComponents, pod: KubeObject, nowMs: number, context: RequestContext): void {
  const { registry, service } = components
  const { name: podName = '', namespace = '' } = pod.metadata
  const budgets = service.store
    .list('policy/poddisruptionbudgets', namespace)
    .filter((budget) => matchesLabelSelector(at(budget, 'spec', 'selector'), pod.metadata.labels ?? {}))
  const [budget] = budgets
  if (budget === undefined) return
  if (budgets.length > 1) {
    const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'
    throw new StatusError(500, 'InternalError', message)
  }
  const { name = '' } = budget.metadata
  const number = (field: string): number => Number(at(budget, 'status', field) ?? 0)
  const ready = arrayOf(at(pod, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
  )
  if (!ready) {
    if (at(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow') return
    // A broken pod may go while those that work are enough.
    if (number('desiredHealthy') > 0 && number('currentHealthy') >= number('desiredHealthy')) return
  }
  if (number('observedGeneration') < (budget.metadata.generation ?? 0))
    throw refusal(`The disruption budget ${name} is still being processed by the server.`, RETRY_AFTER_S)
  if (number('disruptionsAllowed') <= 0)
    throw refusal(
      `The disruption budget ${name} needs ${number('desiredHealthy')} healthy pods and has ${number('currentHealthy')} currently`,
    )
  const definition = registry.find('policy', 'v1', 'poddisruptionbudgets')
  if (definition === undefined || context.dryRun) return
  service.patch(
    { definition, version: 'v1', namespace, name, subresource: 'status' },
    (now) => {
      const status = objectOf(now['status'])
      const disruptedPods = { ...objectOf(status['disruptedPods']), [podName]: timestamp(nowMs) }
      const disruptionsAllowed = number('disruptionsAllowed') - 1
      return { ...now, status: { ...status, disruptionsAllowed, disruptedPods } }
    },
    context,
  )
}

function refusal(message: string, retryAfterSeconds?: number): StatusError {
  const causes = [{ reason: 'DisruptionBudget', message }]
  return new StatusError(429, 'TooManyRequests', CANNOT, { causes, retryAfterSeconds })
}

function disrupted(pod: KubeObject, nowMs: number): KubeObject {
  const status = objectOf(pod['status'])
  const others = arrayOf(status['conditions']).filter((condition) => at(condition, 'type') !== 'DisruptionTarget')
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: timestamp(nowMs),
  }
  return { ...pod, status: { ...status, conditions: [...others, condition] } }
}

function textAt(object: JsonObject, key: string): string | undefined {
  const value = object[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}
