import type { authorizationpb } from '@ambit/api'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { PolicyCondition, PolicyEntry, PolicyOperation, PolicySource } from '../domain.types.ts'
import { addressMatch, portMatch, stringMatch } from './string-match.ts'

export type MatchInit = MessageInitShape<typeof authorizationpb.MatchSchema> & object

/** One entry of a rule as a proxy checks it. */
export interface MatchOfEntry {
  readonly match: MatchInit
  /** Only an HTTP proxy could check these. */
  readonly http: readonly string[]
  /** Nobody here understands these, or their values. */
  readonly unknown: readonly string[]
  /** All alternatives of a positive field were unreadable, or one of a negative: dropping them would match more. */
  readonly widened: boolean
}

export function matchOfSource(entry: PolicyEntry<PolicySource>, namespace: string): MatchOfEntry {
  const { value } = entry
  const ips = readAll(value.ipBlocks, addressMatch)
  const notIps = readAll(value.notIpBlocks, addressMatch)
  return {
    match: {
      ...filled('principals', value.principals.map(stringMatch)),
      ...filled('notPrincipals', value.notPrincipals.map(stringMatch)),
      ...filled('namespaces', value.namespaces.map(stringMatch)),
      ...filled('notNamespaces', value.notNamespaces.map(stringMatch)),
      ...filled(
        'serviceAccounts',
        value.serviceAccounts.map((account) => accountMatch(account, namespace)),
      ),
      ...filled(
        'notServiceAccounts',
        value.notServiceAccounts.map((account) => accountMatch(account, namespace)),
      ),
      ...filled('sourceIps', ips.read),
      ...filled('notSourceIps', notIps.read),
    },
    http: entry.http,
    unknown: [...entry.unknown, ...named('ipBlocks', ips.bad), ...named('notIpBlocks', notIps.bad)],
    widened: lostAll(ips) || notIps.bad.length > 0,
  }
}

export function matchOfOperation(entry: PolicyEntry<PolicyOperation>): MatchOfEntry {
  const ports = readAll(entry.value.ports, portMatch)
  const notPorts = readAll(entry.value.notPorts, portMatch)
  return {
    match: { ...filled('destinationPorts', ports.read), ...filled('notDestinationPorts', notPorts.read) },
    http: entry.http,
    unknown: [...entry.unknown, ...named('ports', ports.bad), ...named('notPorts', notPorts.bad)],
    widened: lostAll(ports) || notPorts.bad.length > 0,
  }
}

export function matchOfCondition(entry: PolicyEntry<PolicyCondition>): MatchOfEntry {
  const { key, values, notValues } = entry.value
  const outcome = (match: MatchInit, bad: readonly string[], widened: boolean): MatchOfEntry => ({
    match,
    http: entry.http,
    unknown: [...entry.unknown, ...named(key, bad)],
    widened,
  })
  switch (key) {
    case 'source.namespace':
      return outcome(
        { ...filled('namespaces', values.map(stringMatch)), ...filled('notNamespaces', notValues.map(stringMatch)) },
        [],
        false,
      )
    case 'source.principal':
      return outcome(
        { ...filled('principals', values.map(stringMatch)), ...filled('notPrincipals', notValues.map(stringMatch)) },
        [],
        false,
      )
    case 'source.ip':
    case 'destination.ip': {
      const ips = readAll(values, addressMatch)
      const notIps = readAll(notValues, addressMatch)
      const [field, notField] =
        key === 'source.ip'
          ? (['sourceIps', 'notSourceIps'] as const)
          : (['destinationIps', 'notDestinationIps'] as const)
      const match = { ...filled(field, ips.read), ...filled(notField, notIps.read) }
      return outcome(match, [...ips.bad, ...notIps.bad], lostAll(ips) || notIps.bad.length > 0)
    }
    case 'destination.port': {
      const ports = readAll(values, portMatch)
      const notPorts = readAll(notValues, portMatch)
      const match = { ...filled('destinationPorts', ports.read), ...filled('notDestinationPorts', notPorts.read) }
      return outcome(match, [...ports.bad, ...notPorts.bad], lostAll(ports) || notPorts.bad.length > 0)
    }
    default:
      return outcome({}, [], false)
  }
}

/** A Match without fields; proxies never let it match. */
export function isBlank(match: MatchInit): boolean {
  return Object.keys(match).length === 0
}

interface Read<T> {
  readonly read: T[]
  readonly bad: readonly string[]
}

function readAll<T>(values: readonly string[], read: (value: string) => T | undefined): Read<T> {
  const bad: string[] = []
  const good = values.flatMap((value) => {
    const one = read(value)
    if (one === undefined) bad.push(value)
    return one === undefined ? [] : [one]
  })
  return { read: good, bad }
}

function lostAll({ read, bad }: Read<unknown>): boolean {
  return read.length === 0 && bad.length > 0
}

function named(field: string, values: readonly string[]): readonly string[] {
  return values.map((value) => `${field}=${value}`)
}

function filled<K extends string, T>(key: K, values: readonly T[]): { readonly [P in K]?: T[] } {
  return (values.length === 0 ? {} : { [key]: [...values] }) as { readonly [P in K]?: T[] }
}

/** `sa` is one of the policy's own namespace. */
function accountMatch(account: string, namespace: string): { namespace: string; serviceAccount: string } {
  const slash = account.indexOf('/')
  return slash < 0
    ? { namespace, serviceAccount: account }
    : { namespace: account.slice(0, slash), serviceAccount: account.slice(slash + 1) }
}
