import { type AnyObject, Snapshot, type Sourced } from '@ambit/analyze'
import { asRunning } from '@ambit/explain'
import type { FullName, Labels } from './policy-test.types.ts'

export interface KnownService {
  readonly namespace: string
  readonly ports: readonly { readonly name: string | undefined; readonly port: number }[]
  readonly selector: Labels
}

export interface KnownWorkload {
  readonly namespace: string
  /** `namespace/name` of its account. */
  readonly account: string
  readonly labels: Labels
  readonly ports: readonly number[]
}

const POLICY_KINDS = [
  'security.istio.io/AuthorizationPolicy',
  'security.istio.io/PeerAuthentication',
  'security.istio.io/RequestAuthentication',
] as const

/** What there is by name, for tests to speak of. Keys are `namespace/name`. */
export class Inventory {
  /** That manifests have, or have something in. */
  readonly namespaces: ReadonlySet<string>
  /** That manifests have as objects: what labels they have is known. */
  readonly namespaceObjects: ReadonlySet<string>
  readonly services: ReadonlyMap<string, KnownService>
  readonly workloads: ReadonlyMap<string, KnownWorkload>
  readonly accounts: ReadonlySet<string>
  /** Hosts of ServiceEntries. */
  readonly hosts: ReadonlySet<string>
  /** And how many rules each has. */
  readonly policies: ReadonlyMap<string, number>
  readonly domain: string

  /** Of what manifests and declarations say, and of what the control plane deploys for them. */
  constructor(written: readonly Sourced[], rootNamespace: string) {
    const objects = [...asRunning(written, { rootNamespace }).objects.values()].flatMap((kind) => [...kind.values()])
    const snapshot = new Snapshot({ cluster: [], files: objects, canJudge: true })
    this.domain = snapshot.domain
    this.services = new Map([
      ...snapshot.of('networking.istio.io/ServiceEntry').map(({ object }) => [keyOf(object), entryOf(object)] as const),
      ...snapshot.of('core/Service').map(({ object }) => [keyOf(object), serviceOf(object)] as const),
    ])
    this.workloads = new Map(
      snapshot.workloads.map(({ namespace, name, serviceAccount, labels, source }) => {
        const account = `${namespace}/${serviceAccount}`
        return [`${namespace}/${name}`, { namespace, account, labels, ports: containerPorts(source.object) }] as const
      }),
    )
    this.accounts = new Set([
      ...snapshot.of('core/ServiceAccount').map(({ object }) => keyOf(object)),
      ...[...this.workloads.values()].map(({ account }) => account),
    ])
    this.hosts = new Set(
      snapshot.of('networking.istio.io/ServiceEntry').flatMap(({ object }) => texts(field(object.spec, 'hosts'))),
    )
    this.policies = new Map(
      POLICY_KINDS.flatMap((kind) => snapshot.of(kind)).map(({ object }) => {
        const rules = field(object.spec, 'rules')
        return [keyOf(object), Array.isArray(rules) ? rules.length : 0] as const
      }),
    )
    this.namespaceObjects = new Set(snapshot.of('core/Namespace').map(({ object }) => object.metadata.name))
    this.namespaces = new Set([
      ...this.namespaceObjects,
      ...objects.flatMap(({ object }) => object.metadata.namespace ?? []),
    ])
  }

  /** The service that a host name means to a client of the namespace, whether there is such a service or not. */
  serviceOfHost(host: string, clientNamespace: string | undefined): FullName | undefined {
    if (this.hosts.has(host)) return undefined
    const labels = host.toLowerCase().replace(/\.$/, '').split('.')
    const [name = '', namespace, svc, ...domain] = labels
    if (namespace === undefined) return clientNamespace === undefined ? undefined : { namespace: clientNamespace, name }
    if (svc === undefined) return this.namespaces.has(namespace) ? { namespace, name } : undefined
    if (svc !== 'svc' || (domain.length > 0 && domain.join('.') !== this.domain)) return undefined
    return { namespace, name }
  }
}

export function keyOf({ metadata }: AnyObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

function serviceOf(object: AnyObject): KnownService {
  const ports = list(field(object.spec, 'ports')).flatMap((entry) => {
    const port = field(entry, 'port')
    const name = field(entry, 'name')
    return typeof port === 'number' ? [{ port, name: typeof name === 'string' ? name : undefined }] : []
  })
  const selector = Object.entries(mapping(field(object.spec, 'selector'))).filter(isTextEntry)
  return { namespace: object.metadata.namespace ?? '', ports, selector: Object.fromEntries(selector) }
}

function entryOf(object: AnyObject): KnownService {
  const ports = list(field(object.spec, 'ports')).flatMap((entry) => {
    const port = field(entry, 'number')
    const name = field(entry, 'name')
    return typeof port === 'number' ? [{ port, name: typeof name === 'string' ? name : undefined }] : []
  })
  return { namespace: object.metadata.namespace ?? '', ports, selector: {} }
}

function isTextEntry(entry: readonly [string, unknown]): entry is [string, string] {
  return typeof entry[1] === 'string'
}

/** Of a pod, or of the template of what makes pods. */
function containerPorts(object: AnyObject): readonly number[] {
  const ports: number[] = []
  const specs = [
    object.spec,
    at(object.spec, ['template', 'spec']),
    at(object.spec, ['jobTemplate', 'spec', 'template', 'spec']),
  ]
  for (const spec of specs)
    for (const container of list(field(spec, 'containers')))
      for (const entry of list(field(container, 'ports'))) {
        const port = field(entry, 'containerPort')
        if (typeof port === 'number' && !ports.includes(port)) ports.push(port)
      }
  return ports
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce(field, value)
}

function field(value: unknown, name: string): unknown {
  const inside = mapping(value)
  return Object.hasOwn(inside, name) ? inside[name] : undefined
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function texts(value: unknown): readonly string[] {
  return list(value).filter((item) => typeof item === 'string')
}
