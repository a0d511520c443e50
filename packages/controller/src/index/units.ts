/**
 * A unit is what is compiled at one go: one object of the cluster and the resources that come of it. Units are named
 * by text so that sets of them are cheap.
 */
export type UnitKind =
  | 'pod'
  | 'service'
  | 'serviceEntry'
  | 'workloadEntry'
  | 'slice'
  | 'policy'
  | 'authentication'
  | 'strict'
  | 'gateway'
  | 'httpRoute'
  | 'grpcRoute'
  | 'virtualService'
  | 'destinationRule'
  | 'router'
  | 'credential'

export type Unit = string

export function unit(kind: UnitKind, namespace: string, name: string): Unit {
  return `${kind}/${namespace}/${name}`
}

/** The static strict policy belongs to no object of its own. */
export const STRICT_UNIT: Unit = unit('strict', '', '')

export function partsOf(key: Unit): { readonly kind: UnitKind; readonly namespace: string; readonly name: string } {
  const first = key.indexOf('/')
  const second = key.indexOf('/', first + 1)
  return { kind: key.slice(0, first) as UnitKind, namespace: key.slice(first + 1, second), name: key.slice(second + 1) }
}
