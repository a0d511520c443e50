import { discoverypb } from '@ambit/api'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { AppliedResponse } from '../src/client-type.ts'
import { DeltaResponse } from '../src/delta-response.ts'

const { DeltaDiscoveryResponseSchema } = discoverypb

/** A response as it comes over the wire. */
export function responseOf(init: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): DeltaResponse {
  return new DeltaResponse(toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, init)))
}

/** Of a response small enough to be applied in one step. */
export function atOnce(applied: AppliedResponse | Promise<AppliedResponse>): AppliedResponse {
  if (applied instanceof Promise) throw new TypeError('it is applied in pieces')
  return applied
}
