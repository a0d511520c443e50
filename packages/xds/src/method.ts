import { discoverypb } from '@ambit/api'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MethodDefinition } from '@grpc/grpc-js'
import { DeltaResponse } from './delta-response.ts'
import type { XdsResource } from './resource.types.ts'

export type DeltaRequest = discoverypb.DeltaDiscoveryRequest

export const DELTA_PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'

export function writeRequest(request: DeltaRequest): Buffer {
  return toBuffer(toBinary(discoverypb.DeltaDiscoveryRequestSchema, request))
}

export function readRequest(bytes: Buffer): DeltaRequest {
  return fromBinary(discoverypb.DeltaDiscoveryRequestSchema, bytes)
}

export function writeResponse(response: discoverypb.DeltaDiscoveryResponse): Buffer {
  return toBuffer(toBinary(discoverypb.DeltaDiscoveryResponseSchema, response))
}

export function readResponse(bytes: Buffer): DeltaResponse {
  return new DeltaResponse(bytes)
}

/** The stream as a server registers it. */
export const DELTA_METHOD: MethodDefinition<DeltaRequest, discoverypb.DeltaDiscoveryResponse> = {
  path: DELTA_PATH,
  requestStream: true,
  responseStream: true,
  requestSerialize: writeRequest,
  requestDeserialize: readRequest,
  responseSerialize: writeResponse,
  responseDeserialize: (bytes) => fromBinary(discoverypb.DeltaDiscoveryResponseSchema, bytes),
}

export function resourceMessage(typeUrl: string, resource: XdsResource): discoverypb.Resource {
  const { name, version, bytes } = resource
  return create(discoverypb.ResourceSchema, {
    name,
    version,
    aliases: [...resource.aliases],
    resource: { typeUrl, value: bytes },
  })
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
