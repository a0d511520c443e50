import { join } from 'node:path'
import type { Design } from './design.types.ts'
import { DIRECT_PORT, FAR, NEAR } from './namespaces.ts'
import { portOpen } from './port-open.ts'
import { Process } from './processes.ts'

const OUT_PORT = 9300
const BETWEEN_PORT = 9301

/** No proxy at all: what everything is compared with. */
export const direct: Design = {
  name: 'direct',
  summary: 'no proxy',
  target: { host: FAR, port: DIRECT_PORT },
  start: () => Promise.resolve([]),
}

/** What two Node processes cost that only copy bytes. */
export const plain: Design = {
  name: 'plain',
  summary: 'two Node processes that copy bytes, no TLS',
  target: { host: NEAR, port: OUT_PORT },
  async start({ namespaces }) {
    const command = (...args: readonly (string | number)[]): readonly string[] => [
      process.execPath,
      join(import.meta.dirname, 'plain-proxy.ts'),
      ...args.map(String),
    ]
    const inbound = await Process.start(namespaces, {
      name: 'in',
      side: 'far',
      command: command(FAR, BETWEEN_PORT, FAR, DIRECT_PORT),
      ready: () => portOpen(FAR, BETWEEN_PORT),
    })
    const outbound = await Process.start(namespaces, {
      name: 'out',
      side: 'near',
      command: command(NEAR, OUT_PORT, FAR, BETWEEN_PORT),
      ready: () => portOpen(NEAR, OUT_PORT),
    })
    return [outbound, inbound]
  },
}
