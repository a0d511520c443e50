import { type Ip, parseIp } from '@ambit/core'

/** What the agent knows of a pod, decoded once. */
export interface PodFacts {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly serviceAccount: string
  readonly labels: ReadonlyMap<string, string>
  readonly annotations: ReadonlyMap<string, string>
  readonly hostNetwork: boolean
  readonly phase: string
  readonly ips: readonly Ip[]
}

export interface NamespaceFacts {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
}

type Json = Readonly<Record<string, unknown>>

const record = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

function stringMap(value: unknown): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(record(value)).flatMap(([key, entry]) => (typeof entry === 'string' ? [[key, entry]] : [])),
  )
}

/** Reads a Pod object of the API; undefined when it lacks what identifies a pod. */
export function decodePod(object: unknown): PodFacts | undefined {
  const metadata = record(record(object)['metadata'])
  const spec = record(record(object)['spec'])
  const status = record(record(object)['status'])
  const uid = text(metadata['uid'])
  const name = text(metadata['name'])
  const namespace = text(metadata['namespace'])
  if (uid === '' || name === '' || namespace === '') return undefined
  return {
    uid,
    name,
    namespace,
    serviceAccount: text(spec['serviceAccountName']) || 'default',
    labels: stringMap(metadata['labels']),
    annotations: stringMap(metadata['annotations']),
    hostNetwork: spec['hostNetwork'] === true,
    phase: text(status['phase']),
    ips: podIps(status),
  }
}

function podIps(status: Json): readonly Ip[] {
  const listed = Array.isArray(status['podIPs']) ? status['podIPs'].map((entry) => text(record(entry)['ip'])) : []
  const all = [...listed, text(status['podIP'])].flatMap((each) => parseIp(each) ?? [])
  return [...new Set(all)]
}

/** Reads a Namespace object of the API. */
export function decodeNamespace(object: unknown): NamespaceFacts | undefined {
  const metadata = record(record(object)['metadata'])
  const name = text(metadata['name'])
  return name === '' ? undefined : { name, labels: stringMap(metadata['labels']) }
}

/** `namespace/name`, as logs and the API server's paths have it. */
export function podKey(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`
}
