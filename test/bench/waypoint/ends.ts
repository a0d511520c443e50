import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { haproxyConfig } from '../haproxy.ts'
import { CLIENT, DIRECT_PORT, FAR, NEAR } from '../namespaces.ts'
import { portOpen } from '../port-open.ts'
import { Process } from '../processes.ts'
import type { HttpSurroundings, HttpVersion, Running } from './http-design.types.ts'

const NEAR_PORT = 9100
/** Where the server's side takes encrypted connections: Istio's port, which is where a waypoint goes. */
export const FAR_PORT = 15008

export const ALPN = { h1: 'http/1.1', h2: 'h2' } as const

/** Where requests enter. */
export const ENTRANCE: Running['target'] = { host: NEAR, port: NEAR_PORT }

export interface TlsEnds {
  readonly kind: 'tls'
  /** What the client speaks; the proxy learns it by ALPN. */
  readonly version: HttpVersion
  /** What the proxy under test may speak to the server. */
  readonly upstream: HttpVersion
}

/** TCP in TLS, or the client's CONNECT as HBONE. */
export type Ends = TlsEnds | { readonly kind: 'hbone' }

/** haproxy that takes the server's side of mutual TLS from whoever is under test. */
export async function startFarEnd(surroundings: HttpSurroundings, ends: Ends): Promise<Process> {
  const { roots, named, server } = surroundings.credentials
  const [certificate, alpn] = ends.kind === 'hbone' ? [server, 'h2'] : [named, ALPN[ends.upstream]]
  const bind = `${FAR}:${FAR_PORT} ssl crt ${certificate} ca-file ${roots} verify required alpn ${alpn}`
  const config = haproxyConfig(modeOf(ends), bind, `${FAR}:${DIRECT_PORT}`)
  return await startEnd(surroundings, 'far', config, () => portOpen(FAR, FAR_PORT))
}

/** haproxy that does the client's side of mutual TLS, towards whoever is under test. */
export async function startNearEnd(surroundings: HttpSurroundings, ends: Ends, to: string): Promise<Process> {
  const { roots, client } = surroundings.credentials
  const alpn = ends.kind === 'hbone' ? 'h2' : ALPN[ends.version]
  const server = `${to} ssl crt ${client} ca-file ${roots} verify required alpn ${alpn} source ${CLIENT}`
  const config = haproxyConfig(modeOf(ends), `${NEAR}:${NEAR_PORT}`, server)
  return await startEnd(surroundings, 'near', config, () => portOpen(NEAR, NEAR_PORT))
}

function modeOf({ kind }: Ends): string {
  return kind === 'hbone' ? 'http' : 'tcp'
}

async function startEnd(
  { namespaces, folder, stack }: HttpSurroundings,
  side: 'near' | 'far',
  config: string,
  ready: () => Promise<boolean>,
): Promise<Process> {
  const file = join(folder, `end-${side}.cfg`)
  writeFileSync(file, config)
  const command = ['haproxy', '-db', '-f', file]
  return stack.use(await Process.start(namespaces, { name: `${side} end`, side, command, ready }))
}
