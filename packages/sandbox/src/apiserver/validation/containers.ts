import { arrayOf, at, isObject, type JsonObject, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { duplicateValue, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { resourceCauses } from './container-resources.ts'
import { handlerCauses } from './handlers.ts'
import { isDnsLabel, isPortName, LABEL_RULE, PORT_NAME_RULE } from './names.ts'

const PULL = ['Always', 'IfNotPresent', 'Never']
const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const MESSAGES = ['File', 'FallbackToLogsOnError']
const VALUE_SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef']
const MAX_ID = 2_147_483_647

/** `names` are those of the pod's containers so far, `volumes` what they can mount. */
export function validateContainer(
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
  const portNames = new Set<string>()
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
    const portName = at(port, 'name')
    if (typeof portName === 'string' && portName !== '') {
      if (!isPortName(portName)) causes.push(invalidValue(`${field}.name`, portName, PORT_NAME_RULE))
      else if (portNames.has(portName)) causes.push(duplicateValue(`${field}.name`, portName))
      portNames.add(portName)
    }
  }
  for (const [index, variable] of arrayOf(container['env']).entries())
    causes.push(...variableCauses(objectOf(variable), `${path}.env[${index}]`))
  const paths = new Set<unknown>()
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
    const mountPath = at(mount, 'mountPath')
    if (!mountPath) causes.push(requiredValue(`${field}.mountPath`))
    else if (paths.has(mountPath)) causes.push(invalidValue(`${field}.mountPath`, mountPath, 'must be unique'))
    paths.add(mountPath)
  }
  const message = container['terminationMessagePolicy']
  if (message !== undefined && !MESSAGES.includes(textOf(message)))
    causes.push(unsupportedValue(`${path}.terminationMessagePolicy`, message, MESSAGES))
  causes.push(...resourceCauses(objectOf(container['resources']), `${path}.resources`))
  causes.push(...handlerCauses(container, path))
  const security = objectOf(container['securityContext'])
  causes.push(...userCauses(security, `${path}.securityContext`))
  if (security['privileged'] === true && security['allowPrivilegeEscalation'] === false)
    causes.push(
      invalidValue(
        `${path}.securityContext`,
        security,
        'cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ),
    )
  return causes
}

function variableCauses(variable: JsonObject, field: string): readonly StatusCause[] {
  const { name, value, valueFrom } = variable
  if (typeof name !== 'string' || name === '') return [requiredValue(`${field}.name`)]
  // Printable and without an equals sign, since Kubernetes 1.32.
  if (!/^[\x20-\x3c\x3e-\x7e]+$/.test(name))
    return [
      invalidValue(
        `${field}.name`,
        name,
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
      ),
    ]
  if (!isObject(valueFrom)) return []
  const from = `${field}.valueFrom`
  if (value) return [invalidValue(from, '', 'may not be specified when `value` is not empty')]
  const sources = VALUE_SOURCES.filter((key) => isObject(valueFrom[key]))
  if (sources.length > 1) return [invalidValue(from, '', 'may not have more than one field specified at a time')]
  const source = sources[0]
  if (source === undefined)
    return [
      invalidValue(
        from,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
      ),
    ]
  const needed = { fieldRef: 'fieldPath', resourceFieldRef: 'resource' }[source] ?? 'key'
  return at(valueFrom, source, needed) ? [] : [requiredValue(`${from}.${source}.${needed}`)]
}

/** Users and groups of a security context, of a pod or a container. */
export function userCauses(security: JsonObject, field: string): readonly StatusCause[] {
  return ['runAsUser', 'runAsGroup', 'fsGroup'].flatMap((key) => {
    const id = security[key]
    const fits = typeof id !== 'number' || (id >= 0 && id <= MAX_ID)
    return fits ? [] : [invalidValue(`${field}.${key}`, id, `must be between 0 and ${MAX_ID}, inclusive`)]
  })
}

export function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
}
