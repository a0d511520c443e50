import { zdspb } from '@ambit/api'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

/** A pod as ztunnel is told of it. */
export interface ZdsPod {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly serviceAccount: string
}

type Payload = zdspb.WorkloadRequest['payload']

function request(payload: Payload): Uint8Array {
  return toBinary(zdspb.WorkloadRequestSchema, create(zdspb.WorkloadRequestSchema, { payload }))
}

/** To be sent together with the descriptor of the pod's network namespace. */
export function addRequest(pod: ZdsPod): Uint8Array {
  const { name, namespace, serviceAccount, uid } = pod
  const workloadInfo = create(zdspb.WorkloadInfoSchema, { name, namespace, serviceAccount })
  return request({ case: 'add', value: create(zdspb.AddWorkloadSchema, { uid, workloadInfo }) })
}

/** For a pod whose namespace the agent could not find again: ztunnel keeps it if it has it. */
export function keepRequest(uid: string): Uint8Array {
  return request({ case: 'keep', value: create(zdspb.KeepWorkloadSchema, { uid }) })
}

export function deleteRequest(uid: string): Uint8Array {
  return request({ case: 'del', value: create(zdspb.DelWorkloadSchema, { uid }) })
}

export function snapshotSentRequest(): Uint8Array {
  return request({ case: 'snapshotSent', value: create(zdspb.SnapshotSentSchema) })
}

/** Whether the first packet of a connection is the greeting this agent understands. */
export function isSupportedHello(bytes: Uint8Array): boolean {
  try {
    return fromBinary(zdspb.ZdsHelloSchema, bytes).version === zdspb.Version.V1
  } catch {
    return false
  }
}

/** Error text of an answer, empty for success; undefined when the bytes are no answer. */
export function decodeAck(bytes: Uint8Array): string | undefined {
  try {
    const { payload } = fromBinary(zdspb.WorkloadResponseSchema, bytes)
    return payload.case === 'ack' ? payload.value.error : undefined
  } catch {
    return undefined
  }
}
