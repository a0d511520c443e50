import type { KubeObject } from '../contract.types.ts'
import type { JsonObject } from '../json.ts'
import type { RuleEnvironment } from '../resources/kind-rules.types.ts'
import { forbidden } from '../status-error.ts'

const CLASSES = 'scheduling.k8s.io/priorityclasses'

/** Classes that every cluster has, and that nobody may take away. */
export const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
}

/** Gives a pod the priority of its class, or of the class that is the default; nobody names a priority of their own. */
export function applyPriority(pod: KubeObject, spec: JsonObject, { store }: RuleEnvironment): void {
  const name = spec['priorityClassName']
  const named = typeof name === 'string' && name !== ''
  const refuse = (why: string): Error => forbidden('', 'pods', pod.metadata.name ?? '', why)
  const found = named
    ? store.get(CLASSES, undefined, name)
    : store.list(CLASSES).find((one) => one['globalDefault'] === true)
  if (named && found === undefined && SYSTEM_PRIORITIES[name] === undefined)
    throw refuse(`no PriorityClass with name ${name} was found`)
  const value = found?.['value'] ?? (named ? SYSTEM_PRIORITIES[name] : 0)
  if (spec['priority'] !== undefined && spec['priority'] !== value)
    throw refuse(
      `the integer value of priority (${JSON.stringify(spec['priority'])}) must not be provided in pod spec; priority admission controller computed ${JSON.stringify(value)} from the given PriorityClass name`,
    )
  spec['priority'] = value
  if (!named && found !== undefined) spec['priorityClassName'] = found.metadata.name
  spec['preemptionPolicy'] ??= found?.['preemptionPolicy'] ?? 'PreemptLowerPriority'
}
