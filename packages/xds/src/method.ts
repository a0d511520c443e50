import { discoverypb } from '@ambit/api'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MethodDefinition } from '@grpc/grpc-js'
import { encodeResponse, type PushedResponse } from './encode-response.ts'

export type DeltaRequest = discoverypb.DeltaDiscoveryRequest

export const DELTA_PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'

export function writeRequest(request: DeltaRequest): Buffer {
  return toBuffer(toBinary(discoverypb.DeltaDiscoveryRequestSchema, request))
}

export function readRequest(bytes: Buffer): DeltaRequest {
  return fromBinary(discoverypb.DeltaDiscoveryRequestSchema, bytes)
}

/** The stream as a server registers it. */
export const DELTA_METHOD: MethodDefinition<DeltaRequest, PushedResponse> = {
  path: DELTA_PATH,
  requestStream: true,
  responseStream: true,
  requestSerialize: writeRequest,
  requestDeserialize: readRequest,
  responseSerialize: encodeResponse,
  responseDeserialize: () => {
    throw new TypeError('the server of the method reads no responses')
  },
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
