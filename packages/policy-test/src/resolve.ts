import { nearestWord } from '@ambit/core'
import type { ClientRef, TargetRef } from '@ambit/explain'
import type { Inventory } from './inventory.ts'
import type { ClientSpec, FullName, PolicyRef, PortSpec, TargetSpec } from './policy-test.types.ts'

/** What a name means, or why it means nothing. */
export type Resolved<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string }

const DECLARE = 'it is in no manifest, and the test does not declare it'

export function resolveClient(spec: ClientSpec, known: Inventory): Resolved<ClientRef> {
  switch (spec.kind) {
    case 'outside':
    case 'identity':
      return found(spec)
    case 'account':
      if (known.accounts.has(spell(spec))) return found(accountRef(spec))
      return unknown('account', spec, known.accounts)
    case 'pod':
      if (known.workloads.has(spell(spec))) return found({ kind: 'pod', namespace: spec.namespace, name: spec.name })
      return unknown('workload', spec, known.workloads.keys())
    case 'name':
      return resolveClientName(spec, known)
  }
}

function resolveClientName(name: FullName, known: Inventory): Resolved<ClientRef> {
  const key = spell(name)
  const workload = known.workloads.get(key)
  if (!known.accounts.has(key)) {
    if (workload !== undefined) return found({ kind: 'pod', namespace: name.namespace, name: name.name })
    return unknown('account or workload', name, [...known.accounts, ...known.workloads.keys()])
  }
  if (workload === undefined || workload.account === key) return found(accountRef(name))
  return {
    ok: false,
    problem:
      `${key} is ambiguous: an account, and a workload of the account ${workload.account}; ` +
      `write { serviceAccount: ${key} } or { pod: ${key} }`,
  }
}

export interface TargetQuestion {
  readonly hasRequest: boolean
  readonly hasSni: boolean
  /** Short host names are of its namespace. */
  readonly clientNamespace: string | undefined
}

export function resolveTarget(spec: TargetSpec, known: Inventory, asked: TargetQuestion): Resolved<TargetRef> {
  switch (spec.kind) {
    case 'service':
      return resolveService(spec, spec.port, known)
    case 'pod':
      return resolvePod(spec, spec.port, known)
    case 'host':
      return resolveHost(spec, known, asked)
    case 'name':
      return resolveTargetName(spec, spec.port, known)
  }
}

function resolveTargetName(name: FullName, port: PortSpec | undefined, known: Inventory): Resolved<TargetRef> {
  const key = spell(name)
  const service = known.services.get(key)
  const workload = known.workloads.get(key)
  if (service === undefined) {
    if (workload !== undefined) return resolvePod(name, port, known)
    return unknown('service or workload', name, [...known.services.keys(), ...known.workloads.keys()])
  }
  const selects = Object.entries(service.selector).every(([label, value]) => workload?.labels[label] === value)
  if (workload === undefined || selects) return resolveService(name, port, known)
  return {
    ok: false,
    problem:
      `${key} is ambiguous: a service, and a workload that the service does not select; ` +
      `write { service: ${key} } or { pod: ${key} }`,
  }
}

function resolveService(name: FullName, port: PortSpec | undefined, known: Inventory): Resolved<TargetRef> {
  const service = known.services.get(spell(name))
  if (service === undefined) return unknown('service', name, known.services.keys())
  const listed = service.ports.map(({ port: number, name: title }) =>
    title === undefined ? `${number}` : `${number} (${title})`,
  )
  const [first, second] = service.ports
  const there = first === undefined ? 'it has none' : `it has ${listed.join(', ')}`
  const fits = service.ports.find(({ port: number, name: title }) => number === port || title === port)
  if (port === undefined && second !== undefined)
    return { ok: false, problem: `service ${spell(name)} needs a port: ${there}` }
  const chosen = port === undefined ? first : fits
  if (chosen === undefined) return { ok: false, problem: `service ${spell(name)} has no port ${port ?? ''}; ${there}` }
  return found({ kind: 'service', namespace: name.namespace, name: name.name, port: chosen.port })
}

function resolvePod(name: FullName, port: PortSpec | undefined, known: Inventory): Resolved<TargetRef> {
  const workload = known.workloads.get(spell(name))
  if (workload === undefined) return unknown('workload', name, known.workloads.keys())
  if (typeof port === 'string')
    return { ok: false, problem: `the port of workload ${spell(name)} is a number, not ${JSON.stringify(port)}` }
  const [first, second] = workload.ports
  const chosen = port ?? (second === undefined ? first : undefined)
  if (chosen === undefined) {
    const there = first === undefined ? 'its containers name none' : `its containers name ${workload.ports.join(', ')}`
    return { ok: false, problem: `workload ${spell(name)} needs a port: ${there}` }
  }
  return found({ kind: 'pod', namespace: name.namespace, name: name.name, port: chosen })
}

function resolveHost(
  { host, port }: Extract<TargetSpec, { readonly kind: 'host' }>,
  known: Inventory,
  { hasRequest, hasSni, clientNamespace }: TargetQuestion,
): Resolved<TargetRef> {
  const service = known.serviceOfHost(host, clientNamespace)
  if (service !== undefined) {
    const resolved = resolveService(service, port, known)
    return resolved.ok ? found({ kind: 'host', host, port: resolved.value.port }) : resolved
  }
  const chosen = port ?? (hasSni ? 443 : hasRequest ? 80 : undefined)
  if (chosen === undefined) return { ok: false, problem: `host ${host} needs a port` }
  return found({ kind: 'host', host, port: chosen })
}

export function resolvePolicy(ref: PolicyRef, known: Inventory): string | undefined {
  const key = spell(ref)
  const rules = known.policies.get(key)
  if (rules === undefined) return `there is no policy ${key}${didYouMean(known.policies.keys(), key)}`
  if (ref.rule === undefined || ref.rule < rules) return undefined
  const there = rules === 0 ? 'it has no rules' : rules === 1 ? 'its only one is #0' : `they are #0 to #${rules - 1}`
  return `policy ${key} has no rule #${ref.rule}: ${there}`
}

function accountRef({ namespace, name }: FullName): ClientRef {
  return { kind: 'account', namespace, serviceAccount: name }
}

function found<T>(value: T): Resolved<T> {
  return { ok: true, value }
}

function unknown(what: string, name: FullName, there: Iterable<string>): Resolved<never> {
  const key = spell(name)
  return { ok: false, problem: `there is no ${what} ${key}${didYouMean(there, key) || `; ${DECLARE}`}` }
}

function didYouMean(there: Iterable<string>, wrong: string): string {
  const near = nearestWord(there, wrong)
  return near === undefined ? '' : `; did you mean ${near}?`
}

function spell({ namespace, name }: FullName): string {
  return `${namespace}/${name}`
}
