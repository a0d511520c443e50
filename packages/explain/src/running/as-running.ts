import { type AnyObject, list, record, type Sourced, stringMap, templateOf, text } from '@ambit/analyze'
import { ANNOTATIONS } from '@ambit/api'
import { DEFAULT_SELECTORS, enrollment } from '@ambit/cni/enrollment'
import { allocate, decodeServiceEntry, hostsToAllocate, POOL_V4, workloadNameOf } from '@ambit/controller/judgement'
import { type Ip, parseIp } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import { MadeUpAddresses } from './addresses.ts'
import { deployedGateways } from './deployed-gateways.ts'
import { keyOf, type ObjectSet, overlay } from './overlay.ts'

/** Nodes of files have no names. */
const NODE = 'node'
const PODS = 'core/Pod'
const SERVICES = 'core/Service'

export interface RunningObjects {
  readonly objects: ObjectSet
  readonly isMadeUp: (address: Ip) => boolean
  /** What was made up, for people; empty where all of it runs. */
  readonly notes: readonly string[]
}

export interface RunningOptions {
  readonly rootNamespace: string
}

/**
 * The objects as if they ran: what of them is in files gets the pods, addresses and annotations that the cluster would give it. What the
 * cluster's own objects say is taken as it is.
 */
export function asRunning(given: readonly Sourced[], options: RunningOptions): RunningObjects {
  const objects = overlay(given)
  const running = new Running(objects, options)
  running.gateways()
  running.workloads()
  running.pods()
  running.services()
  running.serviceEntries()
  running.enrolled()
  return { objects, isMadeUp: (address) => running.addresses.has(address), notes: running.notes() }
}

interface Deployed {
  readonly namespace: string
  readonly name: string
  readonly place: Sourced['place']
}

class Running {
  readonly addresses = new MadeUpAddresses()
  readonly #set: ObjectSet
  readonly #options: RunningOptions
  readonly #made = { gateways: 0, pods: 0, services: 0, entries: 0 }

  constructor(set: ObjectSet, options: RunningOptions) {
    this.#set = set
    this.#options = options
  }

  notes(): readonly string[] {
    const { gateways, pods, services, entries } = this.#made
    const counted = [
      spell(pods, 'pod'),
      spell(services, 'service address', 'service addresses'),
      spell(gateways, 'gateway'),
      spell(entries, 'address of a ServiceEntry', 'addresses of ServiceEntries'),
    ].filter((part) => part !== '')
    if (counted.length === 0) return []
    return [
      `made up for what is only in files: ${counted.join(', ')}; pods are taken to be ready and enrolled as their labels say`,
    ]
  }

  /** What the control plane deploys for the Gateways of files, and the addresses they get by it. */
  gateways(): void {
    for (const { gateway, objects, service } of deployedGateways(this.#set)) {
      this.#made.gateways++
      for (const object of objects) {
        const made = { ...object, metadata: { ...object.metadata, uid: '' } }
        const kind = object.kind === 'Service' ? SERVICES : 'apps/Deployment'
        if (this.#of(kind).has(keyOf(made))) continue
        this.#of(kind).set(keyOf(made), { object: made, place: gateway.place })
      }
      const { object } = gateway
      const value = this.#serviceAddress(service.namespace, service.name)
      const status = { ...record(object.status), addresses: [{ type: 'IPAddress', value }] }
      this.#of('gateway.networking.k8s.io/Gateway').set(keyOf(object), { ...gateway, object: { ...object, status } })
    }
  }

  /** One pod for each Deployment, Job and their like of files; the pods it has in the cluster are made like it. */
  workloads(): void {
    for (const [kind, objects] of this.#set) {
      if (kind === PODS) continue
      for (const { object, place } of objects.values()) {
        const template = place === undefined ? undefined : templateOf(kind, object)
        if (template === undefined) continue
        const { namespace = '', name } = object.metadata
        if (this.#remake({ namespace, name, place }, template)) continue
        const { metadata, spec } = record(template)
        const pod: AnyObject = {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {
            namespace,
            name,
            labels: stringMap(record(metadata)['labels']),
            annotations: stringMap(record(metadata)['annotations']),
          },
          spec,
        }
        const key = keyOf(pod)
        if (!this.#of(PODS).has(key)) this.#of(PODS).set(key, { object: pod, place })
      }
    }
  }

  #remake({ namespace, name, place }: Deployed, template: unknown): boolean {
    const { metadata, spec } = record(template)
    let found = false
    for (const [key, sourced] of this.#of(PODS)) {
      const { object } = sourced
      if (sourced.place !== undefined || object.metadata.namespace !== namespace) continue
      const labels = object.metadata.labels ?? {}
      if (object.metadata.ownerReferences === undefined || workloadNameOf(object.metadata, labels) !== name) continue
      found = true
      const hash = labels['pod-template-hash']
      const made = {
        ...object,
        metadata: {
          ...object.metadata,
          labels: {
            ...stringMap(record(metadata)['labels']),
            ...(hash === undefined ? {} : { 'pod-template-hash': hash }),
          },
          annotations: { ...stringMap(record(metadata)['annotations']) },
        },
        spec: { ...record(spec), nodeName: record(object.spec)['nodeName'] },
      }
      this.#of(PODS).set(key, { object: made, place })
    }
    return found
  }

  /** Pods of files run, are ready and have an address. */
  pods(): void {
    for (const [key, { object, place }] of this.#of(PODS)) {
      if (place === undefined || addressesOf(object).length > 0) continue
      const { namespace = '', name } = object.metadata
      const spec = record(object.spec)
      const node = text(spec['nodeName']) || NODE
      const address = spec['hostNetwork'] === true ? this.addresses.node(node) : this.addresses.pod(namespace, name)
      this.#made.pods++
      const status = {
        phase: 'Running',
        podIP: address,
        podIPs: [{ ip: address }],
        conditions: [{ type: 'Ready', status: 'True' }],
      }
      this.#of(PODS).set(key, { object: { ...object, spec: { ...spec, nodeName: node }, status }, place })
    }
  }

  services(): void {
    for (const [key, { object, place }] of this.#of(SERVICES)) {
      const spec = record(object.spec)
      if (place === undefined || spec['type'] === 'ExternalName' || text(spec['clusterIP']) !== '') continue
      const { namespace = '', name } = object.metadata
      const address = this.#serviceAddress(namespace, name)
      this.#of(SERVICES).set(key, {
        object: { ...object, spec: { ...spec, clusterIP: address, clusterIPs: [address] } },
        place,
      })
    }
  }

  readonly #serviceAddresses = new Map<string, Ip>()

  #serviceAddress(namespace: string, name: string): Ip {
    return this.#serviceAddresses.getOrInsertComputed(`${namespace}/${name}`, () => {
      this.#made.services++
      return this.addresses.service(namespace, name)
    })
  }

  /** The addresses that the control plane would choose: it draws them from names. */
  serviceEntries(): void {
    const kind = 'networking.istio.io/ServiceEntry'
    const used = new Set<Ip>()
    for (const { object } of this.#of(kind).values()) {
      for (const { ip } of decodeServiceEntry(object).allocated) used.add(ip)
    }
    for (const [key, { object, place }] of this.#of(kind)) {
      const entry = decodeServiceEntry(object)
      if (place === undefined || entry.allocated.length > 0) continue
      const addresses = hostsToAllocate(entry).flatMap((host) => {
        const value = allocate(POOL_V4, `${entry.namespace}/${entry.name}/${host}`, (one) => used.has(one))
        if (value === undefined) return []
        used.add(value)
        return [{ value, host }]
      })
      if (addresses.length === 0) continue
      this.#made.entries += addresses.length
      this.#of(kind).set(key, { object: { ...object, status: { ...record(object.status), addresses } }, place })
    }
  }

  /** Of pods and namespaces in files the labels say who is captured; of others the node agent has. */
  enrolled(): void {
    const { rootNamespace } = this.#options
    const namespaces = this.#of('core/Namespace')
    for (const [key, { object, place }] of this.#of(PODS)) {
      const { namespace = '', name, uid = '' } = object.metadata
      const own = namespaces.get(`/${namespace}`)
      if (place === undefined && own?.place === undefined) continue
      const spec = record(object.spec)
      const annotations = object.metadata.annotations ?? {}
      const verdict = enrollment(
        {
          uid,
          namespace,
          name,
          serviceAccount: text(spec['serviceAccountName']) || 'default',
          labels: new Map(Object.entries(object.metadata.labels ?? {})),
          annotations: new Map(Object.entries(annotations)),
          hostNetwork: spec['hostNetwork'] === true,
          phase: text(record(object.status)['phase']),
          ips: addressesOf(object),
        },
        { name: namespace, labels: new Map(Object.entries(own?.object.metadata.labels ?? {})) },
        { selectors: DEFAULT_SELECTORS, excludeNamespaces: [rootNamespace, 'kube-system'] },
      )
      const { [ANNOTATIONS.redirection]: _, ...others } = annotations
      const written = verdict.enrolled ? { ...others, [ANNOTATIONS.redirection]: 'enabled' } : others
      const metadata = { ...object.metadata, annotations: written }
      this.#of(PODS).set(key, { object: { ...object, metadata }, place })
    }
  }

  #of(kind: string): Map<string, Sourced> {
    return this.#set.getOrInsertComputed(kind, () => new Map<string, Sourced>())
  }
}

function addressesOf({ status }: KubeObject & { readonly status?: unknown }): readonly Ip[] {
  const { podIP, podIPs } = record(status)
  return [...list(podIPs).map((entry) => record(entry)['ip']), podIP].flatMap((value) => parseIp(text(value)) ?? [])
}

function spell(count: number, one: string, several: string = `${one}s`): string {
  if (count === 0) return ''
  return `${count} ${count === 1 ? one : several}`
}
