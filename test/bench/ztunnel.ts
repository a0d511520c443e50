import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Design, Surroundings } from './design.types.ts'
import { FAR, FAR_PLAIN, MESH_PORT, NEAR } from './namespaces.ts'
import { portOpen } from './port-open.ts'
import { Process } from './processes.ts'

const MAIN = join(import.meta.dirname, '../../packages/ztunnel/src/main.ts')

/** Two ztunnels, each dedicated to one end, fed with local xDS and a certificate authority. */
export function ztunnelDesigns(): readonly Design[] {
  const missing = existsSync(MAIN) ? undefined : 'packages/ztunnel has no main.ts yet'
  return [
    {
      name: 'ztunnel-plain',
      summary: 'two ztunnels, destination known as TCP: captured, not encrypted',
      target: { host: FAR_PLAIN, port: MESH_PORT },
      missing,
      start: (surroundings) => startPair(surroundings, 'server-plain'),
    },
    {
      name: 'hbone',
      summary: 'two ztunnels, HBONE: HTTP/2 CONNECT over mutual TLS',
      target: { host: FAR, port: MESH_PORT },
      missing,
      start: (surroundings) => startPair(surroundings, 'server'),
    },
    {
      name: 'hbone-reactor-ztunnel',
      summary: 'the same, their bytes moved by the reactor',
      target: { host: FAR, port: MESH_PORT },
      missing,
      start: (surroundings) => startPair(surroundings, 'server', 'reactor'),
    },
  ]
}

async function startPair(
  surroundings: Surroundings,
  server: 'server' | 'server-plain',
  dataPath: 'node' | 'reactor' = 'node',
): Promise<readonly Process[]> {
  const { namespaces, folder } = surroundings
  writeFileSync(join(folder, 'roots.pem'), surroundings.ca.rootsPem)
  writeFileSync(join(folder, 'xds.yaml'), localXds())
  namespaces.redirect()
  const inbound = await startZtunnel(surroundings, { side: 'far', workload: server, address: FAR, dataPath })
  const outbound = await startZtunnel(surroundings, { side: 'near', workload: 'client', address: NEAR, dataPath })
  return [outbound, inbound]
}

function startZtunnel(
  surroundings: Surroundings,
  {
    side,
    workload,
    address,
    dataPath,
  }: { readonly side: 'near' | 'far'; readonly workload: string; readonly address: string; readonly dataPath: string },
): Promise<Process> {
  const { namespaces, ca, folder } = surroundings
  return Process.start(namespaces, {
    name: side === 'near' ? 'out' : 'in',
    side,
    command: [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      '--max-semi-space-size=4',
      MAIN,
      'proxy',
      'ztunnel',
    ],
    env: {
      PROXY_MODE: 'dedicated',
      AMBIT_DATA_PATH: dataPath,
      PROXY_WORKLOAD_INFO: `bench/${workload}/${workload.replace('-plain', '')}`,
      XDS_ADDRESS: '',
      LOCAL_XDS_PATH: join(folder, 'xds.yaml'),
      CA_ADDRESS: ca.address,
      CA_ROOT_CA: join(folder, 'roots.pem'),
      AUTH_TOKEN: 'bench',
      PACKET_MARK: '1337',
      // Without it the far end would need routing for the client's addresses.
      ENABLE_ORIG_SRC: 'false',
      ISTIO_META_DNS_CAPTURE: 'false',
      IPV6_ENABLED: 'false',
      INSTANCE_IP: address,
      NODE_NAME: side,
      POD_NAME: workload,
      POD_NAMESPACE: 'bench',
      SERVICE_ACCOUNT: workload,
      // As installed: one line of access log per connection, into a file.
      RUST_LOG: 'info',
    },
    stdoutFile: join(folder, `${side}.log`),
    ready: async () => await portOpen(address, side === 'far' ? 15008 : 15001),
  })
}

function localXds(): string {
  const workload = (name: string, address: string, protocol: string): string => `  - uid: bench/${name}
    name: ${name}
    namespace: bench
    serviceAccount: ${name.replace('-plain', '')}
    trustDomain: cluster.local
    workloadIps: ["${address}"]
    protocol: ${protocol}
    node: ${name === 'client' ? 'near' : 'far'}
    network: ""
    services: {}
`
  return `workloads:
${workload('client', NEAR, 'HBONE')}${workload('server', FAR, 'HBONE')}${workload('server-plain', FAR_PLAIN, 'TCP')}policies: []
services: []
`
}
