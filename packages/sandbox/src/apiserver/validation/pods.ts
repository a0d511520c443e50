import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, cloneJson, isObject, type JsonObject, jsonEqual, objectOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { matchesLabelSelector } from '../store/selectors.ts'
import { duplicateValue, forbiddenValue, immutable, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { isDnsLabel, LABEL_RULE } from './names.ts'

const RESTART = ['Always', 'OnFailure', 'Never']
const DNS = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const PULL = ['Always', 'IfNotPresent', 'Never']
const PROTOCOLS = ['SCTP', 'TCP', 'UDP']

export function validatePod(pod: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes = [...validatePodSpec(objectOf(pod['spec']), 'spec')]
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
  return causes
}

function validateContainer(
  container: JsonObject,
  path: string,
  names: Set<unknown>,
  volumes: ReadonlySet<unknown>,
): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const { name, image } = container
  if (typeof name !== 'string' || name === '') causes.push(requiredValue(`${path}.name`))
  else if (!isDnsLabel(name)) causes.push(invalidValue(`${path}.name`, name, LABEL_RULE))
  else if (names.has(name)) causes.push(duplicateValue(`${path}.name`, name))
  names.add(name)
  if (typeof image !== 'string' || image === '') causes.push(requiredValue(`${path}.image`))
  else if (image.trim() !== image)
    causes.push(invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'))
  if (!PULL.includes(String(container['imagePullPolicy'])))
    causes.push(unsupportedValue(`${path}.imagePullPolicy`, container['imagePullPolicy'], PULL))
  for (const [index, port] of arrayOf(container['ports']).entries()) {
    const number = at(port, 'containerPort')
    const field = `${path}.ports[${index}]`
    if (number === undefined) causes.push(requiredValue(`${field}.containerPort`))
    else if (!isPort(number))
      causes.push(invalidValue(`${field}.containerPort`, number, 'must be between 1 and 65535, inclusive'))
    if (!PROTOCOLS.includes(String(at(port, 'protocol'))))
      causes.push(unsupportedValue(`${field}.protocol`, at(port, 'protocol'), PROTOCOLS))
  }
  for (const [index, variable] of arrayOf(container['env']).entries())
    if (!at(variable, 'name')) causes.push(requiredValue(`${path}.env[${index}].name`))
  for (const [index, mount] of arrayOf(container['volumeMounts']).entries()) {
    const field = `${path}.volumeMounts[${index}]`
    const volume = at(mount, 'name')
    if (!volume) causes.push(requiredValue(`${field}.name`))
    else if (!volumes.has(volume))
      causes.push({
        reason: 'FieldValueNotFound',
        message: `Not found: ${JSON.stringify(volume)}`,
        field: `${field}.name`,
      })
    if (!at(mount, 'mountPath')) causes.push(requiredValue(`${field}.mountPath`))
  }
  return causes
}

export function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
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
  causes.push(...validatePodSpec(objectOf(at(template, 'spec')), 'spec.template.spec', volumes))
  const restart = at(template, 'spec', 'restartPolicy')
  if (restart !== 'Always') causes.push(unsupportedValue('spec.template.spec.restartPolicy', restart, ['Always']))
  if (old !== undefined && !jsonEqual(selector, at(old, 'spec', 'selector')))
    causes.push(immutable('spec.selector', selector))
  return causes
}
