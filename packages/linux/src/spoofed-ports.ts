import { SPOOFED_PORTS } from './limits.ts'

/** Hands out source ports round robin, so that one is reused as late as possible. */
export function spoofedPorts(random: () => number = Math.random): () => number {
  const count = SPOOFED_PORTS.last - SPOOFED_PORTS.first + 1
  // Two processes serving the same pod during an upgrade should not walk in step.
  let next = Math.floor(random() * count)
  return () => {
    const port = SPOOFED_PORTS.first + next
    next = (next + 1) % count
    return port
  }
}
