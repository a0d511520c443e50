import { createHash } from 'node:crypto'

/** Version of a resource: a digest of its bytes, so that it survives restarts and is equal on every replica. */
export function contentVersion(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}
