import { authorizationpb, waypointpb, workloadpb } from '@ambit/api'
import { ip, ipToBytes } from '@ambit/core'
import type { ResourceInput } from '@ambit/xds'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

export type WorkloadInit = MessageInitShape<typeof workloadpb.WorkloadSchema>
export type ServiceInit = MessageInitShape<typeof workloadpb.ServiceSchema>
export type AuthorizationInit = MessageInitShape<typeof authorizationpb.AuthorizationSchema>
export type SettingsInit = MessageInitShape<typeof waypointpb.SettingsSchema>
export type DestinationInit = MessageInitShape<typeof waypointpb.DestinationSchema>
export type CredentialInit = MessageInitShape<typeof waypointpb.CredentialSchema>
export type PortInit = MessageInitShape<typeof waypointpb.PortSchema>
export type HttpAuthorizationInit = MessageInitShape<typeof waypointpb.HttpAuthorizationSchema>

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

export function settingsResource(init: SettingsInit): ResourceInput {
  const message = create(waypointpb.SettingsSchema, init)
  return { name: `${message.namespace}/${message.gateway}`, bytes: toBinary(waypointpb.SettingsSchema, message) }
}

export function credentialResource(name: string, init: CredentialInit): ResourceInput {
  return { name, bytes: toBinary(waypointpb.CredentialSchema, create(waypointpb.CredentialSchema, init)) }
}

export function destinationResource(init: DestinationInit): ResourceInput {
  const message = create(waypointpb.DestinationSchema, init)
  const { case: kind, value } = message.target
  if (kind === undefined) throw new TypeError('a destination is a service or a workload')
  const name = kind === 'service' ? `${value.namespace}/${value.hostname}` : value.uid
  return { name, bytes: toBinary(waypointpb.DestinationSchema, message) }
}

export function httpAuthorizationResource(init: HttpAuthorizationInit): ResourceInput {
  const message = create(waypointpb.HttpAuthorizationSchema, init)
  return {
    name: `${message.namespace}/${message.name}`,
    bytes: toBinary(waypointpb.HttpAuthorizationSchema, message),
  }
}

function encodeAddress(type: workloadpb.Address['type']): Uint8Array {
  return toBinary(workloadpb.AddressSchema, create(workloadpb.AddressSchema, { type }))
}
