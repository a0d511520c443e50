import type { Chart, Value, ValueMap } from '@ambit/chart'
import { SettingError } from '../errors.ts'
import { mapAt, meant, textOf } from './settings.ts'

/** Under this key the charts keep their defaults. */
const DEFAULTS = '_internal_defaults_do_not_set'
/** Anything goes below. */
const OPEN: ValueMap = new Map()
const CLASSIC_GATEWAY: ValueMap = new Map(
  [
    'autoscaleEnabled',
    'autoscaleMin',
    'autoscaleMax',
    'ports',
    'type',
    'serviceAnnotations',
    'loadBalancerIP',
    'loadBalancerSourceRanges',
    'externalTrafficPolicy',
    'externalIPs',
    'enabled',
  ].map((key) => [key, null] as const),
)

/** Every value an installation can set, as a tree; empty maps in it are open. */
export function knownValues(charts: ReadonlyMap<string, Chart>): ValueMap {
  const defaults = (name: string): ValueMap => {
    const chart = charts.get(name)
    return chart === undefined ? new Map() : mapAt(chart.values, DEFAULTS)
  }
  const names = ['base', 'istiod', 'cni', 'ztunnel', 'gateway']
  const gateway = union([defaults('gateway'), CLASSIC_GATEWAY])
  const leaf = (key: string): readonly [string, Value] => [key, null]
  return new Map<string, Value>([
    ['global', union([...names.map((name) => mapAt(defaults(name), 'global')), new Map([leaf('profile')])])],
    ['meshConfig', OPEN],
    ['base', union([mapAt(defaults('base'), 'base'), mapAt(defaults('istiod'), 'base')])],
    ['pilot', defaults('istiod')],
    ['cni', defaults('cni')],
    ['ztunnel', defaults('ztunnel')],
    [
      'gateways',
      new Map([
        ['istio-ingressgateway', gateway],
        ['istio-egressgateway', gateway],
      ]),
    ],
    ['gatewayClasses', OPEN],
    ...['profile', 'platform', 'revision', 'ownerName', 'defaultRevision'].map(leaf),
  ])
}

/** Refuses a value that no chart reads, or that is of another type than its default: it would change nothing, and nobody would notice. */
export function refuseUnknownValues(given: ValueMap, known: ValueMap, path = 'values'): void {
  for (const [key, value] of given) {
    if (!known.has(key)) {
      throw new SettingError(
        `${path}.${key} is unknown${meant(known.keys(), key)} There are: ${[...known.keys()].toSorted().join(', ')}. --force installs in spite of it`,
      )
    }
    const inner = known.get(key)
    if (value instanceof Map && inner instanceof Map && inner.size > 0)
      refuseUnknownValues(value, inner, `${path}.${key}`)
    else if (inner instanceof Map && !(value instanceof Map) && value !== null) {
      throw new SettingError(`${path}.${key} has members, and can't be a single value`)
    } else refuseWrongType(value, inner, `${path}.${key}`)
  }
}

/** A template would take any text for true, and write any for a number. */
function refuseWrongType(value: Value, byDefault: Value | undefined, path: string): void {
  if (value === null) return
  if (typeof byDefault === 'boolean' && typeof value !== 'boolean')
    throw new SettingError(`${path} is either true or false, not "${textOf(value)}"`)
  // A percentage may stand for a number.
  if (typeof byDefault === 'number' && typeof value !== 'bigint' && !/^-?[\d.]+%?$/.test(textOf(value)))
    throw new SettingError(`${path} is a number, not "${textOf(value)}"`)
}

function union(maps: readonly ValueMap[]): ValueMap {
  const all: ValueMap = new Map()
  for (const map of maps) {
    for (const [key, value] of map) {
      const own = all.get(key)
      all.set(key, own instanceof Map && value instanceof Map ? union([own, value]) : (own ?? value))
    }
  }
  return all
}
