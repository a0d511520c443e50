import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Design, Surroundings } from './design.types.ts'
import { DIRECT_PORT, FAR, NEAR } from './namespaces.ts'
import { portOpen } from './port-open.ts'
import { Process } from './processes.ts'

const OUT_PORT = 9100
const BETWEEN_PORT = 9200

/** Debian's haproxy as two proxies of the same chain: plain TCP, mutual TLS, and HTTP/2 CONNECT over mutual TLS. */
export function haproxyDesigns(): readonly Design[] {
  const missing =
    spawnSync('haproxy', ['-v']).status === 0
      ? undefined
      : 'haproxy is not installed; type, as root: apt-get install -y haproxy'
  const target = { host: NEAR, port: OUT_PORT }
  return [
    { name: 'haproxy-tcp', summary: 'two haproxies, plain TCP', target, missing, start: (s) => startPair(s, 'tcp') },
    {
      name: 'haproxy-mtls',
      summary: 'two haproxies, one mutual TLS connection each',
      target,
      missing,
      start: (s) => startPair(s, 'mtls'),
    },
    {
      name: 'haproxy-h2',
      summary: 'two haproxies, HTTP/2 CONNECT over mutual TLS',
      target,
      connectTo: `${FAR}:${DIRECT_PORT}`,
      missing,
      start: (s) => startPair(s, 'h2'),
    },
  ]
}

type Kind = 'tcp' | 'mtls' | 'h2'

async function startPair(surroundings: Surroundings, kind: Kind): Promise<readonly Process[]> {
  const { ca, folder, namespaces } = surroundings
  const certificate = join(folder, 'haproxy.pem')
  const roots = join(folder, 'roots.pem')
  writeFileSync(certificate, ca.bundle('spiffe://cluster.local/ns/bench/sa/haproxy'), { mode: 0o600 })
  writeFileSync(roots, ca.rootsPem)
  const alpn = kind === 'h2' ? ' alpn h2' : ''
  const tls = `ssl crt ${certificate} ca-file ${roots} verify required${alpn}`
  const mode = kind === 'h2' ? 'http' : 'tcp'
  const [serverTls, bindTls] = kind === 'tcp' ? ['', ''] : [` ${tls} verifyhost bench`, ` ${tls}`]
  const near = haproxyConfig(
    mode,
    `${NEAR}:${OUT_PORT}`,
    `${FAR}:${BETWEEN_PORT}${serverTls.replace(' verifyhost bench', '')}`,
  )
  const far = haproxyConfig(mode, `${FAR}:${BETWEEN_PORT}${bindTls}`, `${FAR}:${DIRECT_PORT}`)
  const nearFile = join(folder, `haproxy-${kind}-near.cfg`)
  const farFile = join(folder, `haproxy-${kind}-far.cfg`)
  writeFileSync(nearFile, near)
  writeFileSync(farFile, far)
  const inbound = await Process.start(namespaces, {
    name: 'in',
    side: 'far',
    command: ['haproxy', '-db', '-f', farFile],
    ready: () => portOpen(FAR, BETWEEN_PORT),
  })
  const outbound = await Process.start(namespaces, {
    name: 'out',
    side: 'near',
    command: ['haproxy', '-db', '-f', nearFile],
    ready: () => portOpen(NEAR, OUT_PORT),
  })
  return [outbound, inbound]
}

export function haproxyConfig(mode: string, bind: string, server: string): string {
  return `global
  maxconn 4000
  nbthread 1
  tune.bufsize 65536
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
${mode === 'http' ? '  option http-no-delay\n  http-reuse always\n' : ''}listen bench
  bind ${bind}
  server one ${server}
`
}
