import { authorizationpb, workloadpb } from '@ambit/api'
import { ip, ipToBytes, systemClock } from '@ambit/core'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { decodeAddress, type Service, type Workload, WorkloadStore } from '../src/index.ts'

type WorkloadInit = MessageInitShape<typeof workloadpb.WorkloadSchema>
type ServiceInit = MessageInitShape<typeof workloadpb.ServiceSchema>
type AuthorizationInit = MessageInitShape<typeof authorizationpb.AuthorizationSchema>

export const bytesOf = (text: string): Uint8Array => ipToBytes(ip(text))

function addressOf(type: workloadpb.Address['type']): Uint8Array {
  return toBinary(workloadpb.AddressSchema, create(workloadpb.AddressSchema, { type }))
}

export function workloadResource(init: WorkloadInit) {
  const value = create(workloadpb.WorkloadSchema, init)
  return { name: value.uid, bytes: addressOf({ case: 'workload', value }) }
}

export function serviceResource(init: ServiceInit) {
  const value = create(workloadpb.ServiceSchema, init)
  return { name: `${value.namespace}/${value.hostname}`, bytes: addressOf({ case: 'service', value }) }
}

export function authorizationResource(init: AuthorizationInit) {
  const value = create(authorizationpb.AuthorizationSchema, init)
  return { name: `${value.namespace}/${value.name}`, bytes: toBinary(authorizationpb.AuthorizationSchema, value) }
}

export const HOST = 'cart.shop.svc.cluster.local'
export const KEY = `shop/${HOST}`

/** A captured pod of namespace shop serving `cart` 80 → 8080, unless said otherwise. */
export function pod(name: string, address: string | undefined, over: WorkloadInit = {}): WorkloadInit {
  return {
    uid: `Kubernetes//Pod/shop/${name}`,
    name,
    namespace: 'shop',
    serviceAccount: name,
    addresses: address === undefined ? [] : [bytesOf(address)],
    tunnelProtocol: 1,
    services: { [KEY]: { ports: [{ servicePort: 80, targetPort: 8080 }] } },
    ...over,
  }
}

export function cart(over: ServiceInit = {}): ServiceInit {
  return {
    name: 'cart',
    namespace: 'shop',
    hostname: HOST,
    canonical: true,
    addresses: [{ address: bytesOf('10.96.0.1') }],
    ports: [{ servicePort: 80, targetPort: 8080 }],
    ...over,
  }
}

export function storeOf(
  things: { readonly pods?: readonly WorkloadInit[]; readonly services?: readonly ServiceInit[] },
  nodeName?: string,
): WorkloadStore {
  const store = new WorkloadStore({ clock: systemClock }, { nodeName })
  const upserts = [...(things.pods ?? []).map(workloadResource), ...(things.services ?? []).map(serviceResource)]
  const rejected = store.apply({ upserts, removed: [] })
  if (rejected.length > 0) throw new Error(JSON.stringify(rejected))
  return store
}

export function workload(init: WorkloadInit): Workload {
  const decoded = decodeAddress(workloadResource(init).bytes)
  if (!decoded.ok || decoded.value.kind !== 'workload') throw new Error('not a workload')
  return decoded.value.workload
}

export function service(init: ServiceInit): Service {
  const decoded = decodeAddress(serviceResource(init).bytes)
  if (!decoded.ok || decoded.value.kind !== 'service') throw new Error('not a service')
  return decoded.value.service
}
