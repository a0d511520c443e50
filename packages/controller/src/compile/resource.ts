import { authorizationpb, workloadpb } from '@ambit/api'
import { ipFromBytes } from '@ambit/core'
import type { ResourceInput } from '@ambit/xds'
import { create, toBinary } from '@bufbuild/protobuf'

export function workloadResource(workload: workloadpb.Workload): ResourceInput {
  const address = create(workloadpb.AddressSchema, { type: { case: 'workload', value: workload } })
  const aliases = workload.addresses.map((bytes) => `${workload.network}/${spell(bytes)}`)
  // Its services by their resource names: whoever asks for a service by name needs its workloads too.
  const belongsTo = Object.keys(workload.services)
  return { name: workload.uid, aliases, belongsTo, bytes: toBinary(workloadpb.AddressSchema, address) }
}

export function serviceResource(service: workloadpb.Service): ResourceInput {
  const address = create(workloadpb.AddressSchema, { type: { case: 'service', value: service } })
  const aliases = service.addresses.map((vip) => {
    const alias = `${vip.network}/${spell(vip.address)}`
    return vip.length === undefined ? alias : `${alias}/${vip.length}`
  })
  return resource(`${service.namespace}/${service.hostname}`, aliases, toBinary(workloadpb.AddressSchema, address))
}

export function authorizationResource(authorization: authorizationpb.Authorization): ResourceInput {
  return resource(
    `${authorization.namespace}/${authorization.name}`,
    [],
    toBinary(authorizationpb.AuthorizationSchema, authorization),
  )
}

function resource(name: string, aliases: readonly string[], bytes: Uint8Array): ResourceInput {
  return { name, aliases, bytes }
}

function spell(bytes: Uint8Array): string {
  return ipFromBytes(bytes) ?? ''
}
