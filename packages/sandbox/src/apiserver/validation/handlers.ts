import { arrayOf, isObject, type JsonObject, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { isPortName, PORT_NAME_RULE } from './names.ts'

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe']
const PROBE_HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc']
const HOOK_HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'sleep']
const PROBE_TIMES = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const
const SCHEMES = ['HTTP', 'HTTPS']

/** Probes and lifecycle hooks of a container: each does exactly one thing, to a port that can be. */
export function handlerCauses(container: JsonObject, path: string): readonly StatusCause[] {
  const causes: StatusCause[] = []
  for (const name of PROBES) if (isObject(container[name])) causes.push(...probeCauses(container, name, path))
  for (const [name, hook] of Object.entries(objectOf(container['lifecycle'])))
    if (isObject(hook)) causes.push(...actionCauses(hook, HOOK_HANDLERS, `${path}.lifecycle.${name}`))
  return causes
}

function probeCauses(container: JsonObject, name: string, path: string): readonly StatusCause[] {
  const probe = objectOf(container[name])
  const field = `${path}.${name}`
  const causes = [...actionCauses(probe, PROBE_HANDLERS, field)]
  for (const key of PROBE_TIMES) {
    const value = probe[key]
    if (typeof value === 'number' && value < 0)
      causes.push(invalidValue(`${field}.${key}`, value, 'must be greater than or equal to 0'))
  }
  const successes = probe['successThreshold']
  if (name !== 'readinessProbe' && typeof successes === 'number' && successes > 1)
    causes.push(invalidValue(`${field}.successThreshold`, successes, 'must be 1'))
  return causes
}

function actionCauses(action: JsonObject, handlers: readonly string[], field: string): readonly StatusCause[] {
  const [first, ...more] = handlers.filter((name) => isObject(action[name]))
  if (first === undefined) return [requiredValue(field, 'must specify a handler type')]
  if (more.length > 0)
    return more.map((name) => forbiddenValue(`${field}.${name}`, 'may not specify more than 1 handler type'))
  const handler = objectOf(action[first])
  if (first === 'exec') return arrayOf(handler['command']).length === 0 ? [requiredValue(`${field}.exec.command`)] : []
  if (first === 'sleep') return []
  const causes: StatusCause[] = [...portCauses(handler['port'], `${field}.${first}.port`)]
  if (first === 'httpGet' && !SCHEMES.includes(textOf(handler['scheme'] ?? 'HTTP')))
    causes.push(unsupportedValue(`${field}.httpGet.scheme`, handler['scheme'], SCHEMES))
  return causes
}

function portCauses(port: unknown, field: string): readonly StatusCause[] {
  if (typeof port === 'string') return isPortName(port) ? [] : [invalidValue(field, port, PORT_NAME_RULE)]
  const number = typeof port === 'number' ? port : 0
  return number >= 1 && number <= 65_535 ? [] : [invalidValue(field, number, 'must be between 1 and 65535, inclusive')]
}
