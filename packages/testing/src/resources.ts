import { authorizationpb, workloadpb } from '@ambit/api'
import { ip, ipToBytes } from '@ambit/core'
import type { ResourceInput } from '@ambit/xds'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

export type WorkloadInit = MessageInitShape<typeof workloadpb.WorkloadSchema>
export type ServiceInit = MessageInitShape<typeof workloadpb.ServiceSchema>
export type AuthorizationInit = MessageInitShape<typeof authorizationpb.AuthorizationSchema>

/** Bytes of an address as the wire carries it. */
export function addressBytes(text: string): Uint8Array {
  return ipToBytes(ip(text))
}

/** A workload as the control plane names and sends it. */
export function workloadResource(init: WorkloadInit): ResourceInput {
  const message = create(workloadpb.WorkloadSchema, init)
  return {
    name: message.uid,
    aliases: message.addresses.map((bytes) => `${message.network}/${bytes.join('.')}`),
    bytes: encodeAddress({ case: 'workload', value: message }),
  }
}

/** A service as the control plane names and sends it. */
export function serviceResource(init: ServiceInit): ResourceInput {
  const message = create(workloadpb.ServiceSchema, init)
  return {
    name: `${message.namespace}/${message.hostname}`,
    aliases: message.addresses.map(({ network, address }) => `${network}/${address.join('.')}`),
    bytes: encodeAddress({ case: 'service', value: message }),
  }
}

export function authorizationResource(init: AuthorizationInit): ResourceInput {
  const message = create(authorizationpb.AuthorizationSchema, init)
  return {
    name: `${message.namespace}/${message.name}`,
    bytes: toBinary(authorizationpb.AuthorizationSchema, message),
  }
}

function encodeAddress(type: workloadpb.Address['type']): Uint8Array {
  return toBinary(workloadpb.AddressSchema, create(workloadpb.AddressSchema, { type }))
}
