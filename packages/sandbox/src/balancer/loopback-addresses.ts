import { createHash } from 'node:crypto'
import { LIMITS } from '../limits.ts'

/** First of 127.0.0.2 to 127.0.0.254 that a sandbox tries: another one for another name, as several share the loopback. */
export function loopbackStart(name: string): number {
  return name === 'ambit' ? 0 : createHash('sha256').update(name).digest().readUInt16BE(0) % LIMITS.loopbackAddresses
}

/** The addresses in the order in which they are tried. */
export function loopbackAddresses(start: number, taken: ReadonlySet<string>, wished?: string): readonly string[] {
  if (wished !== undefined) return [wished]
  const all = Array.from(
    { length: LIMITS.loopbackAddresses },
    (_, index) => `127.0.0.${2 + ((start + index) % LIMITS.loopbackAddresses)}`,
  )
  return all.filter((address) => !taken.has(address))
}

/** Offset under which a port that only root may open is to be had instead: 80 becomes 8080, 443 becomes 8443. */
const MAPPED_BY = 8000

/** Ports to try in turn for a port of a load balancer; 0 lets the machine choose. */
export function portsToTry(port: number): readonly number[] {
  return [port, port + MAPPED_BY, 0]
}
