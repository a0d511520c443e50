import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, cloneJson, isObject, type JsonObject, jsonEqual, objectOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { matchesLabelSelector } from '../store/selectors.ts'
import { duplicateValue, forbiddenValue, immutable, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { userCauses, validateContainer } from './containers.ts'
import { isDnsLabel, LABEL_RULE } from './names.ts'
import { placementCauses } from './pod-placement.ts'
import { rolloutCauses } from './rollouts.ts'

const RESTART = ['Always', 'OnFailure', 'Never']
const DNS = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
/** Sources of volumes and what each can't do without. */
const NEEDED: Readonly<Record<string, string>> = {
  configMap: 'name',
  secret: 'secretName',
  hostPath: 'path',
  persistentVolumeClaim: 'claimName',
}
const MAX_SECONDS = 2_147_483_647

export function validatePod(pod: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  // What stays as it is isn't judged again: older rules may have let it in.
  const same = old !== undefined && jsonEqual(pod['spec'], old['spec'])
  const causes = same ? [] : [...validatePodSpec(objectOf(pod['spec']), 'spec')]
  if (old !== undefined && !jsonEqual(fixedPart(pod), fixedPart(old)))
    causes.push(
      forbiddenValue(
        'spec',
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds`',
      ),
    )
  return causes
}

/** What of a pod's spec can never change; nodeName may be set once, by the scheduler. */
function fixedPart(pod: KubeObject): JsonObject {
  const spec = cloneJson(objectOf(pod['spec']))
  for (const key of [
    'activeDeadlineSeconds',
    'tolerations',
    'terminationGracePeriodSeconds',
    'schedulingGates',
    'nodeName',
    'ephemeralContainers',
  ])
    delete spec[key]
  for (const key of ['containers', 'initContainers'])
    for (const container of arrayOf(spec[key])) if (isObject(container)) delete container['image']
  return spec
}

/** `given` are volumes that the pod gets from elsewhere. */
export function validatePodSpec(spec: JsonObject, path: string, given: readonly string[] = []): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const containers = arrayOf(spec['containers'])
  if (containers.length === 0) causes.push(requiredValue(`${path}.containers`))
  const volumes = new Set<unknown>()
  for (const [index, volume] of arrayOf(spec['volumes']).entries()) {
    const name = at(volume, 'name')
    const field = `${path}.volumes[${index}].name`
    if (typeof name !== 'string' || name === '') causes.push(requiredValue(field))
    else if (!isDnsLabel(name)) causes.push(invalidValue(field, name, LABEL_RULE))
    else if (volumes.has(name)) causes.push(duplicateValue(field, name))
    volumes.add(name)
    const sources = Object.keys(objectOf(volume)).filter((key) => key !== 'name')
    if (sources.length > 1)
      causes.push(forbiddenValue(`${path}.volumes[${index}].${sources[1]}`, 'may not specify more than 1 volume type'))
    const source = sources[0] ?? ''
    const needed = NEEDED[source]
    if (needed !== undefined && !at(volume, source, needed))
      causes.push(requiredValue(`${path}.volumes[${index}].${source}.${needed}`))
  }
  for (const name of given) volumes.add(name)
  const names = new Set<unknown>()
  for (const key of ['initContainers', 'containers'])
    for (const [index, container] of arrayOf(spec[key]).entries())
      causes.push(...validateContainer(objectOf(container), `${path}.${key}[${index}]`, names, volumes))
  if (!RESTART.includes(String(spec['restartPolicy'])))
    causes.push(unsupportedValue(`${path}.restartPolicy`, spec['restartPolicy'], RESTART))
  if (!DNS.includes(String(spec['dnsPolicy'])))
    causes.push(unsupportedValue(`${path}.dnsPolicy`, spec['dnsPolicy'], DNS))
  const grace = spec['terminationGracePeriodSeconds']
  if (typeof grace === 'number' && grace < 0)
    causes.push(invalidValue(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'))
  const deadline = spec['activeDeadlineSeconds']
  if (typeof deadline === 'number' && (deadline < 1 || deadline > MAX_SECONDS))
    causes.push(
      invalidValue(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${MAX_SECONDS}, inclusive`),
    )
  causes.push(...userCauses(objectOf(spec['securityContext']), `${path}.securityContext`))
  causes.push(...placementCauses(spec, path))
  return causes
}

/** Deployment, ReplicaSet and DaemonSet: selector, template, immutability. */
export function validateWorkload(
  object: KubeObject,
  old: KubeObject | undefined,
  volumes: readonly string[] = [],
): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(object['spec'])
  const { selector, template, replicas } = spec
  if (!isObject(selector)) causes.push(requiredValue('spec.selector'))
  else if (
    Object.keys(objectOf(selector['matchLabels'])).length === 0 &&
    arrayOf(selector['matchExpressions']).length === 0
  )
    causes.push(invalidValue('spec.selector', selector, `empty selector is invalid for ${object.kind.toLowerCase()}`))
  const labels = objectOf(at(template, 'metadata', 'labels')) as Record<string, string>
  if (isObject(selector) && !matchesLabelSelector(selector, labels))
    causes.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'))
  if (typeof replicas === 'number' && replicas < 0)
    causes.push(invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'))
  causes.push(...rolloutCauses(object))
  if (old === undefined || !jsonEqual(template, at(old, 'spec', 'template')))
    causes.push(...validatePodSpec(objectOf(at(template, 'spec')), 'spec.template.spec', volumes))
  const restart = at(template, 'spec', 'restartPolicy')
  if (restart !== 'Always') causes.push(unsupportedValue('spec.template.spec.restartPolicy', restart, ['Always']))
  if (old !== undefined && !jsonEqual(selector, at(old, 'spec', 'selector')))
    causes.push(immutable('spec.selector', selector))
  return causes
}
