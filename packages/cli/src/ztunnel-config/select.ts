import type { JsonObject } from '../json.ts'
import { asList, asObject } from '../json.ts'
import type {
  ConfigDump,
  DumpedIdentity,
  DumpedPod,
  DumpedPolicy,
  DumpedService,
  DumpedWorkload,
} from './config-dump.types.ts'

/** Which part of a dump a command shows, in every output format. */
export interface DumpFilter {
  readonly namespace?: string | undefined
  readonly node?: string | undefined
  readonly address?: string | undefined
  /** `name` or `name.namespace`. */
  readonly name?: string | undefined
  /** `inbound` or `outbound` connections only. */
  readonly direction?: string | undefined
}

export function selectWorkloads(dump: ConfigDump, filter: DumpFilter): readonly DumpedWorkload[] {
  return dump.workloads
    .filter((item) => inNamespace(item, filter) && matchesName(filter.name, item))
    .filter((item) => filter.node === undefined || item.node === filter.node)
    .filter((item) => filter.address === undefined || item.addresses.includes(filter.address))
    .toSorted((a, b) => byNames(a, b) || compare(a.uid, b.uid))
}

export function selectServices(dump: ConfigDump, filter: DumpFilter): readonly DumpedService[] {
  return dump.services
    .filter((item) => inNamespace(item, filter))
    .toSorted((a, b) => byNames(a, b) || compare(a.hostname, b.hostname))
}

export function selectPolicies(dump: ConfigDump, filter: DumpFilter): readonly DumpedPolicy[] {
  return dump.policies.filter((item) => inNamespace(item, filter)).toSorted(byNames)
}

export function selectCertificates(dump: ConfigDump): readonly DumpedIdentity[] {
  return dump.certificates.toSorted((a, b) => compare(a.identity, b.identity))
}

export function selectPods(dump: ConfigDump, filter: DumpFilter): readonly DumpedPod[] {
  return dump.pods
    .filter((item) => inNamespace(item, filter) && matchesName(filter.name, item))
    .map((item) => ({
      ...item,
      inbound: filter.direction === 'outbound' ? [] : item.inbound,
      outbound: filter.direction === 'inbound' ? [] : item.outbound,
    }))
    .toSorted((a, b) => byNames(a, b) || compare(a.uid, b.uid))
}

/** Pods as they were dumped, by uid, with the connections of the wanted direction in order. */
export function selectRawPods(dump: ConfigDump, filter: DumpFilter): JsonObject {
  const ordered = (list: unknown): readonly unknown[] =>
    asList(list).toSorted((a, b) => compare(JSON.stringify(a), JSON.stringify(b)))
  return Object.fromEntries(
    selectPods(dump, filter).map(({ uid, raw }) => {
      const { inbound, outbound } = asObject(raw['connections'])
      const connections = {
        inbound: filter.direction === 'outbound' ? [] : ordered(inbound),
        outbound: filter.direction === 'inbound' ? [] : ordered(outbound),
      }
      return [uid, { ...raw, connections }]
    }),
  )
}

interface Named {
  readonly name: string
  readonly namespace: string
}

function inNamespace(item: Named, filter: DumpFilter): boolean {
  return filter.namespace === undefined || item.namespace === filter.namespace
}

function matchesName(wanted: string | undefined, { name, namespace }: Named): boolean {
  return wanted === undefined || wanted === name || wanted === `${name}.${namespace}`
}

function byNames(a: Named, b: Named): number {
  return compare(a.namespace, b.namespace) || compare(a.name, b.name)
}

/** By code unit, so that the order does not depend on the machine's locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
