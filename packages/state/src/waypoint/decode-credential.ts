import { waypointpb as pb } from '@ambit/api'
import { fromBinary } from '@bufbuild/protobuf'
import { type Decoded, decoding, reject } from '../rejection.ts'
import type { Credential } from './listener.types.ts'

/** Reads an `ambit.waypoint.Credential` resource. Whether its keys and certificates are any is for who uses them to say. */
export function decodeCredential(bytes: Uint8Array): Decoded<Credential> {
  return decoding(() => {
    const message = fromBinary(pb.CredentialSchema, bytes)
    const [unknown] = message.$unknown ?? []
    if (unknown !== undefined) reject('unknown-field', `credential: unknown field ${unknown.no}`)
    return {
      certificateChainPem: textOf(message.certificateChainPem),
      privateKeyPem: textOf(message.privateKeyPem),
      caPem: textOf(message.caPem),
    }
  })
}

/** PEM is ASCII; whatever else stands around it says nothing. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
