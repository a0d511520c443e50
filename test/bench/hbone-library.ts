import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Design } from './design.types.ts'
import { DIRECT_PORT, FAR, NEAR } from './namespaces.ts'
import { Process } from './processes.ts'

const OUT_PORT = 9400
const BETWEEN_PORT = 15008
/** Identities whose connections are never shared: the pods of a busy node. */
const MANY = 24

/** The hbone package alone, with each engine and the reactor: tells the tunnel's cost from that of resolution, policy and telemetry around it. */
export const hboneLibraries: readonly Design[] = [
  libraryWith('hbone-library', 'node:http2'),
  libraryWith('hbone-framed', 'framed'),
  libraryWith('hbone-reactor', 'reactor'),
  libraryWith('hbone-library-24', 'node:http2', MANY),
  libraryWith('hbone-reactor-24', 'reactor', MANY),
]

function libraryWith(name: string, engine: string, identities = 1): Design {
  return {
    name,
    summary: `two processes with nothing but the hbone package, engine ${engine}${identities > 1 ? `, clients of ${identities} identities` : ''}`,
    target: { host: NEAR, port: OUT_PORT },
    async start({ namespaces, ca, folder }) {
      const roots = join(folder, 'roots.pem')
      writeFileSync(roots, ca.rootsPem)
      const command = (role: string, ...address: readonly (string | number)[]): readonly string[] => [
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        // As ztunnel's image has it.
        '--max-semi-space-size=4',
        join(import.meta.dirname, 'hbone-end.ts'),
        role,
        engine,
        ca.address,
        roots,
        ...address.map(String),
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
        env: { IDENTITIES: String(identities) },
      })
      return [outbound, inbound]
    },
  }
}
