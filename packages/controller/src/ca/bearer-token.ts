import type { Metadata } from '@grpc/grpc-js'
import { MAX_TOKEN_LENGTH } from '../limits.ts'

/** The bearer token of a call, undefined when there is none or it is beyond any token's size. */
export function bearerTokenOf(metadata: Metadata): string | undefined {
  for (const value of metadata.get('authorization')) {
    const header = value.toString()
    if (!header.startsWith('Bearer ')) continue
    const token = header.slice('Bearer '.length).trim()
    if (token !== '' && token.length <= MAX_TOKEN_LENGTH) return token
  }
  return undefined
}
