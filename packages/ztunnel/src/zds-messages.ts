import { zdspb } from '@ambit/api'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { WorkloadInfo } from './config.types.ts'

export type ZdsRequest =
  | { readonly kind: 'add'; readonly uid: string; readonly workload: WorkloadInfo; readonly fd: number }
  | { readonly kind: 'keep'; readonly uid: string }
  | { readonly kind: 'del'; readonly uid: string }
  | { readonly kind: 'snapshot-sent' }

export type ZdsDecoded =
  | { readonly ok: true; readonly request: ZdsRequest }
  /** `read`: the connection is unusable. `protocol`: the agent does something it must never do. */
  | { readonly ok: false; readonly fault: 'read' | 'protocol'; readonly reason: string }

/** Reads one packet; exactly `add` has exactly one descriptor. Never closes descriptors: that is the caller's. */
export function decodeZdsRequest(bytes: Uint8Array, fds: readonly number[]): ZdsDecoded {
  let payload: zdspb.WorkloadRequest['payload']
  try {
    payload = fromBinary(zdspb.WorkloadRequestSchema, bytes).payload
  } catch (error) {
    return { ok: false, fault: 'read', reason: `not a WorkloadRequest: ${(error as Error).message}` }
  }
  const [fd, ...more] = fds
  const wanted = payload.case === 'add' ? 1 : 0
  if (fds.length !== wanted) {
    return {
      ok: false,
      fault: 'read',
      reason: `${payload.case ?? 'empty message'} came with ${fds.length} descriptors instead of ${wanted}`,
    }
  }
  switch (payload.case) {
    case 'add': {
      const { uid, workloadInfo } = payload.value
      if (workloadInfo === undefined) return { ok: false, fault: 'protocol', reason: 'add without workload_info' }
      if (fd === undefined || more.length > 0) return { ok: false, fault: 'read', reason: 'add without its descriptor' }
      const { name, namespace, serviceAccount } = workloadInfo
      return { ok: true, request: { kind: 'add', uid, workload: { name, namespace, serviceAccount }, fd } }
    }
    case 'keep':
      return { ok: true, request: { kind: 'keep', uid: payload.value.uid } }
    case 'del':
      return { ok: true, request: { kind: 'del', uid: payload.value.uid } }
    case 'snapshotSent':
      return { ok: true, request: { kind: 'snapshot-sent' } }
    default:
      return { ok: false, fault: 'read', reason: 'message without a payload this version knows' }
  }
}

export function encodeHello(): Uint8Array {
  return toBinary(zdspb.ZdsHelloSchema, create(zdspb.ZdsHelloSchema, { version: zdspb.Version.V1 }))
}

/** Success is an empty error. The text is kept within one packet. */
export function encodeAck(error = ''): Uint8Array {
  const message = create(zdspb.WorkloadResponseSchema, {
    payload: { case: 'ack', value: { error: error.slice(0, 250) } },
  })
  return toBinary(zdspb.WorkloadResponseSchema, message)
}
