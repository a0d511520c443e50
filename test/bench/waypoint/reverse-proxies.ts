import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FAR, NEAR } from '../namespaces.ts'
import { portOpen } from '../port-open.ts'
import { Process } from '../processes.ts'
import { type CredentialFiles, SERVER_NAME } from './credential-files.ts'
import { ALPN, ENTRANCE, FAR_PORT, startFarEnd, startNearEnd, type TlsEnds } from './ends.ts'
import type { HttpDesign, HttpSurroundings, HttpVersion, Running } from './http-design.types.ts'

const PROXY_PORT = 9500

/** Debian's nginx and haproxy: mutual TLS in, mutual TLS out, a rule for method and path. One thread each. */
export function reverseProxyDesigns(): readonly HttpDesign[] {
  const haproxy = missing('haproxy')
  return [
    {
      name: 'nginx',
      summary: 'HTTP/1.1 to the server, which is all it has',
      versions: ['h1', 'h2'],
      judges: true,
      missing: missing('nginx'),
      start: (surroundings, version) => startProxy(surroundings, 'nginx', version, 'h1'),
    },
    {
      name: 'haproxy',
      summary: 'HTTP/1.1 to the server',
      versions: ['h1', 'h2'],
      judges: true,
      missing: haproxy,
      start: (surroundings, version) => startProxy(surroundings, 'haproxy', version, 'h1'),
    },
    {
      name: 'haproxy-h2',
      summary: 'HTTP/2 to the server',
      versions: ['h2'],
      judges: true,
      missing: haproxy,
      start: (surroundings, version) => startProxy(surroundings, 'haproxy', version, 'h2'),
    },
  ]
}

function missing(program: string): string | undefined {
  if (spawnSync(program, ['-v']).status === 0) return undefined
  return `${program} is not installed; type, as root: apt-get install -y ${program}`
}

async function startProxy(
  surroundings: HttpSurroundings,
  program: 'nginx' | 'haproxy',
  version: HttpVersion,
  upstream: HttpVersion,
): Promise<Running> {
  const { namespaces, credentials, folder, stack } = surroundings
  const ends: TlsEnds = { kind: 'tls', version, upstream }
  const far = await startFarEnd(surroundings, ends)
  const file = join(folder, `${program}.conf`)
  writeFileSync(file, program === 'nginx' ? nginxConfig(credentials, folder) : haproxyConfig(credentials, upstream))
  const command = program === 'nginx' ? ['nginx', '-e', 'stderr', '-c', file] : ['haproxy', '-db', '-f', file]
  const subject = stack.use(
    await Process.start(namespaces, { name: program, side: 'near', command, ready: () => portOpen(NEAR, PROXY_PORT) }),
  )
  const near = await startNearEnd(surroundings, ends, `${NEAR}:${PROXY_PORT}`)
  return { target: ENTRANCE, subjects: [subject], ends: [near, far] }
}

/** One process, so that its CPU time is all in one place; connections are kept however many requests they carried. */
function nginxConfig({ roots, proxy, named }: CredentialFiles, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${join(folder, `nginx-${name}`)};`)
    .join('\n')
  return `daemon off;
user root;
master_process off;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 4096; }
http {
  access_log off;
${temporary}
  upstream web {
    server ${FAR}:${FAR_PORT};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen ${NEAR}:${PROXY_PORT} ssl http2;
    ssl_protocols TLSv1.3;
    ssl_certificate ${named};
    ssl_certificate_key ${named};
    ssl_client_certificate ${roots};
    ssl_verify_client on;
    keepalive_requests 1000000000;
    location / { return 403; }
    location /api/ {
      limit_except GET { deny all; }
      proxy_pass https://web;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_certificate ${proxy};
      proxy_ssl_certificate_key ${proxy};
      proxy_ssl_trusted_certificate ${roots};
      proxy_ssl_verify on;
      proxy_ssl_name ${SERVER_NAME};
    }
  }
}
`
}

function haproxyConfig({ roots, proxy, named }: CredentialFiles, upstream: HttpVersion): string {
  const tls = `ca-file ${roots} verify required`
  return `global
  maxconn 4000
  nbthread 1
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend in
  bind ${NEAR}:${PROXY_PORT} ssl crt ${named} ${tls} alpn h2,http/1.1
  http-request deny unless METH_GET { path_beg /api/ }
  use_backend web if { path_beg /api/ }
backend web
  http-reuse always
  server one ${FAR}:${FAR_PORT} ssl crt ${proxy} ${tls} verifyhost ${SERVER_NAME} alpn ${ALPN[upstream]}
`
}
