import type { MeshState, Pod } from '@ambit/controller/judgement'
import { parseIp, parsePort } from '@ambit/core'
import { AmbiguousNameError } from '../errors.ts'
import type { ClientRef, TargetRef } from '../question.types.ts'
import { notFound } from './not-found.ts'

/**
 * A client as people write it: `NAMESPACE/POD-OR-ACCOUNT`, in the given namespace without one, `pod:` or `sa:` before it where both go by the
 * name, `spiffe://…`, an address, or `outside`.
 */
export function readClient(state: MeshState, written: string, namespace: string): ClientRef {
  if (written === 'outside') return { kind: 'outside' }
  if (written.startsWith('spiffe://')) return { kind: 'identity', identity: written }
  const address = parseIp(written)
  if (address !== undefined) return { kind: 'outside', ip: address }
  const { prefix, place, name } = split(written, namespace)
  if (prefix === 'pod') return { kind: 'pod', namespace: place, name }
  if (prefix === 'sa') return { kind: 'account', namespace: place, serviceAccount: name }
  const pods = [...state.pods.in(place)].filter(({ running }) => running)
  const pod = pods.find((one) => one.name === name) ?? pods.find((one) => one.workloadName === name)
  const isAccount = pods.some(({ serviceAccount }) => serviceAccount === name)
  if (pod !== undefined && isAccount && pod.serviceAccount !== name)
    throw new AmbiguousNameError(
      `${place}/${name} is a pod, which runs as ${pod.serviceAccount}, and a service account: say pod:${place}/${name} or sa:${place}/${name}`,
    )
  if (isAccount) return { kind: 'account', namespace: place, serviceAccount: name }
  if (pod !== undefined) return { kind: 'pod', namespace: place, name: pod.name }
  if (prefix === undefined && name === 'default') return { kind: 'account', namespace: place, serviceAccount: name }
  throw notFound('pod or service account with pods', `${place}/${name}`, clientNames(state.pods))
}

function clientNames(pods: Iterable<Pod>): readonly string[] {
  return [...pods].flatMap(({ namespace, name, serviceAccount, workloadName }) =>
    [name, serviceAccount, workloadName].map((one) => `${namespace}/${one}`),
  )
}

/**
 * What is dialled as people write it: `NAMESPACE/SERVICE-OR-POD[:PORT]`, `pod:` or `service:` before it where both go by the name, or a host or
 * address with or without port, as an application would write it.
 */
export function readTarget(state: MeshState, written: string, namespace: string): TargetRef {
  const { host, port } = splitPort(written)
  if (!host.includes('/') && !/^(?:pod|service):/.test(host)) return { kind: 'host', host, port }
  const { prefix, place, name } = split(host, namespace)
  if (prefix === 'pod') return { kind: 'pod', namespace: place, name, port }
  const isService = state.services.get(place, name) !== undefined || state.serviceEntries.get(place, name) !== undefined
  if (isService || prefix === 'service') return { kind: 'service', namespace: place, name, port }
  const pods = [...state.pods.in(place)].filter(({ running }) => running)
  if (pods.some((pod) => pod.name === name || pod.workloadName === name))
    return { kind: 'pod', namespace: place, name, port }
  const known = [...state.services, ...state.serviceEntries, ...state.pods].map((one) => `${one.namespace}/${one.name}`)
  throw notFound('service or pod', `${place}/${name}`, known)
}

/** `host:port`; of an IPv6 address in brackets. */
function splitPort(written: string): { readonly host: string; readonly port: number | undefined } {
  if (parseIp(written) !== undefined) return { host: written, port: undefined }
  const [, bracketed, plain = '', number] = /^(?:\[([^\]]*)\]|(.*?))(?::(\d+))?$/.exec(written) ?? []
  const port = number === undefined ? undefined : parsePort(number)
  if (number !== undefined && (port === undefined || port === 0))
    throw new AmbiguousNameError(`${JSON.stringify(written)} names no port between 1 and 65535`)
  return { host: bracketed ?? plain, port }
}

function split(
  written: string,
  namespace: string,
): { readonly prefix: 'pod' | 'sa' | 'service' | undefined; readonly place: string; readonly name: string } {
  const [, prefix, path = ''] = /^(?:(pod|sa|service):)?(.*)$/.exec(written) ?? []
  const slash = path.indexOf('/')
  return {
    prefix: prefix as 'pod' | 'sa' | 'service' | undefined,
    place: slash < 0 ? namespace : path.slice(0, slash),
    name: path.slice(slash + 1),
  }
}
