import { overlay, type Value, type ValueMap } from '@ambit/chart'
import { SettingError } from '../errors.ts'
import { isGateway } from './components.ts'
import type { ComponentRequest, InstallSettings } from './settings.ts'
import { mapAt, meant, textOf } from './settings.ts'

/** Values every chart is given as they are. */
const SHARED = ['global', 'profile', 'platform', 'revision', 'ownerName', 'defaultRevision']
/** Values of Istio's older gateway chart, and where the chart here has them. */
const GATEWAY_NAMES: Readonly<Record<string, readonly string[]>> = {
  autoscaleEnabled: ['autoscaling', 'enabled'],
  autoscaleMin: ['autoscaling', 'minReplicas'],
  autoscaleMax: ['autoscaling', 'maxReplicas'],
  ports: ['service', 'ports'],
  type: ['service', 'type'],
  serviceAnnotations: ['service', 'annotations'],
  loadBalancerIP: ['service', 'loadBalancerIP'],
  loadBalancerSourceRanges: ['service', 'loadBalancerSourceRanges'],
  externalTrafficPolicy: ['service', 'externalTrafficPolicy'],
  externalIPs: ['service', 'externalIPs'],
}
/** Ports of the classic gateways, which are not root and leave the low ports to their Service. */
const GATEWAY_PORTS: readonly (readonly [string, number, number])[] = [
  ['status-port', 15021, 15021],
  ['http2', 80, 8080],
  ['https', 443, 8443],
]

/** What the component's chart is rendered with. */
export function componentValues(request: ComponentRequest, settings: InstallSettings): ValueMap {
  const { component } = request
  const shared = new Map([...settings.values].filter(([key]) => SHARED.includes(key)))
  const own = component.valuesRoot.reduce((map, key) => mapAt(map, key), settings.values)
  switch (component.key) {
    case 'base':
      return overlay(shared, new Map([['base', own]]))
    case 'pilot':
      return overlay(
        overlay(
          shared,
          new Map([...settings.values].filter(([key]) => ['meshConfig', 'base', 'gatewayClasses'].includes(key))),
        ),
        overlay(own, ofSpec(request)),
      )
    case 'cni':
    case 'ztunnel':
      return overlay(shared, overlay(own, ofSpec(request)))
    case 'ingressGateways':
    case 'egressGateways':
      return overlay(
        overlay(shared, gatewayDefaults(request, settings)),
        overlay(renamed(without(own, 'enabled')), renamed(ofSpec(request))),
      )
  }
}

function gatewayDefaults(request: ComponentRequest, settings: InstallSettings): ValueMap {
  const text = (entries: Readonly<Record<string, Value>>): ValueMap => new Map(Object.entries(entries))
  const ports = GATEWAY_PORTS.map(([name, port, targetPort]) => text({ name, port, targetPort, protocol: 'TCP' }))
  const isEgress = request.component.key === 'egressGateways'
  return text({
    name: request.name,
    component: request.component.label,
    meshConfig: new Map(
      [...mapAt(settings.values, 'meshConfig')].filter(([key]) => ['trustDomain', 'defaultConfig'].includes(key)),
    ),
    serviceAccount: text({ name: `${request.name}-service-account` }),
    service: text({
      ports: isEgress ? ports.filter((_, at) => at > 0) : ports,
      type: isEgress ? 'ClusterIP' : 'LoadBalancer',
    }),
  })
}

function without(values: ValueMap, name: string): ValueMap {
  return new Map([...values].filter(([key]) => key !== name))
}

function renamed(values: ValueMap): ValueMap {
  let result: ValueMap = new Map()
  for (const [key, value] of values) {
    const path = GATEWAY_NAMES[key] ?? [key]
    const nested = path.toReversed().reduce<Value>((inner, name) => new Map([[name, inner]]), value)
    if (nested instanceof Map) result = overlay(result, nested)
  }
  return result
}

const SPEC_KEYS = ['enabled', 'name', 'namespace', 'label', 'hub', 'tag', 'k8s']
const PLAIN_K8S = [
  'resources',
  'replicaCount',
  'nodeSelector',
  'tolerations',
  'affinity',
  'podAnnotations',
  'serviceAnnotations',
]

/** `components.X` beside `enabled`: image, labels, and what of `k8s` the charts can say. */
function ofSpec({ component, spec, name }: ComponentRequest): ValueMap {
  const at = `components.${component.key}${isGateway(component) ? `(${name})` : ''}`
  const values: ValueMap = new Map()
  for (const [key, value] of spec) {
    if (!SPEC_KEYS.includes(key))
      throw new SettingError(`unknown setting ${at}.${key}${meant(SPEC_KEYS, key)} There are: ${SPEC_KEYS.join(', ')}`)
    if (key === 'hub' || key === 'tag') values.set(key, textOf(value))
    if (key === 'label') values.set('labels', value)
  }
  const k8s = mapAt(spec, 'k8s')
  for (const [key, value] of k8s) {
    if (PLAIN_K8S.includes(key)) values.set(key, value)
    else if (key === 'env') values.set('env', environment(value, at))
    else if (key === 'hpaSpec') setReplicas(values, value)
    else if (key === 'service' && isGateway(component) && value instanceof Map) values.set('service', value)
    else
      throw new SettingError(
        `${at}.k8s.${key} is not available; the charts' own values say most of it (values.${component.valuesRoot.join('.')})`,
      )
  }
  return values
}

function environment(value: Value, at: string): ValueMap {
  const entries = (Array.isArray(value) ? value : []).map((entry) => {
    if (entry instanceof Map && entry.has('name') && entry.has('value')) {
      return [textOf(entry.get('name')), textOf(entry.get('value'))] as const
    }
    throw new SettingError(`${at}.k8s.env: only name and value are available`)
  })
  return new Map(entries)
}

function setReplicas(values: ValueMap, spec: Value): void {
  if (!(spec instanceof Map)) return
  for (const [from, to] of [
    ['minReplicas', 'autoscaleMin'],
    ['maxReplicas', 'autoscaleMax'],
  ] as const) {
    const count = spec.get(from)
    if (count !== undefined) values.set(to, count)
  }
}
