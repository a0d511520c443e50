import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Design } from './design.types.ts'
import { build } from './load.ts'
import { DIRECT_PORT, FAR, NEAR } from './namespaces.ts'
import { Process } from './processes.ts'

const OUT_PORT = 9500
const BETWEEN_PORT = 9501
const HEADER = '/usr/include/openssl/ssl.h'
const LIBRARIES = ['-lssl', '-lcrypto']

/** Two copies of relay.c: what the same design comes to when nothing but the bytes is done, by a program of C. */
export const cRelay: Design = {
  name: 'c-relay',
  summary: 'two processes of C that only carry: HTTP/2 CONNECT over mutual TLS, no policy, no identity',
  missing: existsSync(HEADER) ? undefined : `${HEADER} is not there; type, as root: apt-get install -y libssl-dev`,
  target: { host: NEAR, port: OUT_PORT },
  async start({ namespaces, ca, folder }) {
    const relay = build(folder, 'relay', LIBRARIES)
    const certificate = join(folder, 'relay.pem')
    const roots = join(folder, 'roots.pem')
    writeFileSync(certificate, ca.bundle('spiffe://cluster.local/ns/bench/sa/relay'), { mode: 0o600 })
    writeFileSync(roots, ca.rootsPem)
    const command = (...words: readonly (string | number)[]): readonly string[] => [
      relay,
      ...words.map(String),
      certificate,
      roots,
    ]
    const inbound = await Process.start(namespaces, {
      name: 'in',
      side: 'far',
      command: command('in', FAR, BETWEEN_PORT, FAR, DIRECT_PORT),
    })
    const outbound = await Process.start(namespaces, {
      name: 'out',
      side: 'near',
      command: command('out', NEAR, OUT_PORT, FAR, BETWEEN_PORT),
    })
    return [outbound, inbound]
  },
}
