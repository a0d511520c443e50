import { hash } from 'node:crypto'
import { type Ip, ip, ipFromBytes, ipToBytes } from '@ambit/core'

export interface Pool {
  readonly base: Ip
  /** Bits of the network. */
  readonly length: number
}

/** Where addresses of ServiceEntries without any come from (Istio). */
export const POOL_V4: Pool = { base: ip('240.240.0.0'), length: 16 }
export const POOL_V6: Pool = { base: ip('2001:2::'), length: 48 }

/** How many places are tried before a pool counts as full. */
const MAX_PROBES = 65_536

/**
 * A free address of the pool for this name. Starts at a place drawn from the name, so that every leader proposes the
 * same; the network's first and last address are left out.
 */
export function allocate(pool: Pool, name: string, isUsed: (address: Ip) => boolean): Ip | undefined {
  const bytes = ipToBytes(pool.base)
  // At most 32 bits of hosts are used: plenty, and exact in a number.
  const hostBits = Math.min(bytes.length * 8 - pool.length, 32)
  const size = 2 ** hostBits
  const start = Number.parseInt(hash('sha1', name).slice(0, 8), 16) % size
  for (let i = 0; i < Math.min(size, MAX_PROBES); i++) {
    const host = (start + i) % size
    if (host === 0 || host === size - 1) continue
    const address = withHost(bytes, host)
    if (address !== undefined && !isUsed(address)) return address
  }
  return undefined
}

function withHost(base: Uint8Array, host: number): Ip | undefined {
  const bytes = Uint8Array.from(base)
  const view = new DataView(bytes.buffer)
  const at = bytes.length - 4
  view.setUint32(at, (view.getUint32(at) | host) >>> 0)
  return ipFromBytes(bytes)
}
