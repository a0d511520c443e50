import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { arch, availableParallelism, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import type { Clock, Closable, Logger } from '@ambit/core'
import { Netns, netnsSockets, warmThreadPool } from '@ambit/linux'
import type { ObjectClient } from './apiserver/contract.types.ts'
import { createApiServer } from './apiserver/create-api-server.ts'
import { hasStatus } from './apiserver/status-error.ts'
import { loopbackStart } from './balancer/loopback-addresses.ts'
import { ServiceBalancer } from './balancer/service-balancer.ts'
import { type ControllerCaches, openControllerCaches } from './controllers/caches.ts'
import { SERVICE_NAME_LABEL } from './controllers/endpoint-slice.ts'
import { SKIP_MIRROR_LABEL } from './controllers/endpoints-mirror.ts'
import { startControllers } from './controllers/start-controllers.ts'
import { DnsServer } from './dns/server.ts'
import type { ZoneSource } from './dns/zone.ts'
import { createBaseRoot } from './host/base-root.ts'
import type { DataFolder } from './host/data-folder.ts'
import { clusterKeys } from './host/kept-keys.ts'
import { kubeconfigText } from './host/kubeconfig.ts'
import type { MachinePorts } from './host/machine-ports.ts'
import { runCommand } from './host/run-command.ts'
import { type SandboxConfig, stateFolder } from './host/state-folder.ts'
import { findTool, unpackedFolders } from './host/tools.ts'
import { imageListFile, LoadedImages } from './images/loaded-images.ts'
import { CniChain } from './kubelet/cni.ts'
import type { NodeComponents } from './kubelet/components.types.ts'
import { EventRecorder } from './kubelet/event-recorder.ts'
import { Kubelet } from './kubelet/kubelet.ts'
import { createNodeRoot } from './kubelet/node-root.ts'
import { ClusterPodRuntime } from './kubelet/pod-runtime.ts'
import { NETWORK, nodeAddresses } from './net/addresses.ts'
import { PodNetwork } from './net/pod-network.ts'
import { createTopology, hasIpv6 } from './net/topology.ts'
import type { ConfigMap, Secret } from './objects/cluster.types.ts'
import { GVR } from './objects/gvr.ts'
import type { NetworkPolicy } from './objects/network-policy.types.ts'
import { ObjectCache } from './objects/object-cache.ts'
import { SliceIndex } from './objects/slice-index.ts'
import type { PolicyPod } from './policy/isolation.ts'
import { NetworkPolicies } from './policy/network-policies.ts'
import { HealthChecks } from './proxy/health-checks.ts'
import { ServiceProxy } from './proxy/service-proxy.ts'
import { publishStandardClass } from './volumes/standard-class.ts'
import { NODE_VOLUMES_FOLDER, VolumeBinder } from './volumes/volume-binder.ts'

export interface Cluster extends Closable {
  readonly kubeconfig: string
  readonly client: ObjectClient
}

export interface ClusterOptions {
  readonly config: SandboxConfig
  /** Listens on the machine's loopback. */
  readonly server: Server
  readonly port: number
  readonly logger: Logger
  readonly clock: Clock
  readonly ports: MachinePorts
  readonly onProgress: (text: string) => void
}

/** Assembles a whole cluster in the namespaces of this process; the only place that knows all the parts. */
export async function startCluster(o: ClusterOptions): Promise<Cluster> {
  const { clock, config, logger, onProgress } = o
  await warmThreadPool()
  const files = stateFolder(dirname(dirname(config.stateFolder)), config.name)
  const stack = new AsyncDisposableStack()
  // Before anything else: a folder in use, or of another version, ends the start.
  const data = await openDataFolder(config.dataFolder)
  if (data !== undefined) stack.use(data)
  const runFolder = files.run
  await runCommand(['mount', '-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', runFolder])
  const [ip, nft] = [findTool('ip', config.workspace), findTool('nft', config.workspace)]
  const nodes = Array.from({ length: config.nodes }, (_, i) => nodeAddresses(i + 1))
  onProgress('network, root file systems and API server')
  const { pki, tokenKeyPem } = clusterKeys(data, { names: servingNames(), nowMs: clock.now() })
  const ground = Promise.all([
    createTopology({ nodes, runFolder, ip }),
    createBaseRoot(`${runFolder}/base`, [config.workspace, dirname(process.execPath)].filter(outermost)),
  ])
  // Answers while the network is being made: it needs none of it.
  const kubelets: Kubelet[] = []
  const api = await createApiServer({
    server: o.server,
    tls: { certPem: pki.server.certPem, keyPem: pki.server.keyPem, clientCaPem: pki.caPem },
    serviceRanges: hasIpv6()
      ? { ipv4: NETWORK.serviceCidr, ipv6: NETWORK.serviceCidrV6 }
      : { ipv4: NETWORK.serviceCidr },
    tokenKeyPem,
    journal: data,
    runtime: new ClusterPodRuntime(kubelets),
    logger: logger.scope('apiserver'),
    clock,
  })
  stack.defer(() => api.close())
  const { client } = api
  const [topology, base] = await ground
  const volumesFolder = join(config.dataFolder ?? config.stateFolder, 'volumes')
  mkdirSync(volumesFolder, { recursive: true, mode: 0o700 })
  const shared = [{ source: volumesFolder, path: NODE_VOLUMES_FOLDER }]
  const nodeRootOf = (name: string): string => `${runFolder}/nodes/${name}`
  await Promise.all(
    nodes.map((node) => createNodeRoot(nodeRootOf(node.name), node.name, base, topology.netnsOf(node), shared)),
  )
  stack.defer(await alsoListen(o.server))
  const caches = openCaches(client, logger, clock, stack)
  await publishClusterObjects(client)
  await publishStandardClass(client)

  onProgress('service proxy, DNS and controllers')
  const events = new EventRecorder({ client, logger, clock })
  const proxy = new ServiceProxy({
    nft,
    namespaces: [
      { netns: undefined, node: undefined },
      ...nodes.map((node) => ({ netns: topology.netnsOf(node), node: node.name })),
    ],
    services: caches.services,
    endpointSlices: caches.endpointSlices,
    logger: logger.scope('proxy'),
    clock,
  })
  stack.use(proxy)
  const policies = stack.use(
    new NetworkPolicies({
      nft,
      nodes: nodes.map((node) => ({ name: node.name, netns: topology.netnsOf(node) })),
      policies: caches.networkPolicies,
      pods: caches.pods,
      namespaces: caches.namespaces,
      ownPods: [nameServerPod()],
      logger: logger.scope('policy'),
      clock,
    }),
  )
  const slices = stack.use(new SliceIndex(caches.endpointSlices))
  stack.use(
    new HealthChecks({
      nodes: nodes.map((node) => ({
        name: node.name,
        sockets: netnsSockets(stack.use(Netns.open(topology.netnsOf(node)))),
      })),
      services: caches.services,
      slices,
      logger: logger.scope('proxy'),
      clock,
    }),
  )
  const dns = new DnsServer({ source: zoneSource(caches, slices), logger: logger.scope('dns') })
  stack.use(dns)
  await dns.listen(NETWORK.dnsIp, NETWORK.dnsPort)
  await Promise.all(Object.values(caches).map((cache) => cache.synced))
  const manager = api.clientNamed('kube-controller-manager')
  stack.use(startControllers({ client: manager, logger: logger.scope('controllers'), clock, events, caches }))
  const { volumeClaims: claims, volumes } = caches
  const binding = { client, logger: logger.scope('volumes'), clock, events, claims, volumes }
  stack.use(new VolumeBinder(binding, volumesFolder))
  stack.use(
    new ServiceBalancer(
      { client, ports: o.ports, logger: logger.scope('balancer'), clock, events, caches, slices },
      { nodes, loopbackStart: loopbackStart(config.name) },
    ),
  )

  await forgetNodes(
    client,
    nodes.map((node) => node.name),
  )
  onProgress('nodes')
  const machine = {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    arch: arch() === 'x64' ? 'amd64' : arch(),
  }
  const manyUsers = hasManyUsers(readFileSync('/proc/self/uid_map', 'utf8'))
  const rootMountPoint = `${runFolder}/rootfs`
  const loadedImages = stack.use(new LoadedImages(imageListFile(config)))
  mkdirSync(rootMountPoint, { recursive: true })
  const tool = (name: string): string => findTool(name, config.workspace).path
  const tools = { setpriv: tool('setpriv'), nsenter: tool('nsenter'), unshare: tool('unshare'), setsid: tool('setsid') }
  for (const node of nodes) {
    const nodeNetns = topology.netnsOf(node)
    const network = new PodNetwork({ node, netns: nodeNetns, ip, ipv6: topology.ipv6 })
    const nodeRoot = nodeRootOf(node.name)
    const components: NodeComponents = {
      node,
      client,
      clock,
      logger: logger.scope(node.name),
      events,
      sandbox: {
        tools,
        cni: new CniChain({ nodeRoot, nodeNetns, network, policies }),
        nodeRoot,
        nodeNetns,
        nodeIps: topology.ipv6 ? [node.ip, node.ipV6] : [node.ip],
        ipv6: topology.ipv6,
      },
      base,
      catalogue: {
        workspace: config.workspace,
        node: process.execPath,
        compileCache: config.compileCache !== undefined,
        unpacked: unpackedFolders(config.workspace),
        loaded: loadedImages,
      },
      compileCache: config.compileCache,
      environment: {
        configMap: (namespace, name) => caches.configMaps.get(namespace, name),
        secret: (namespace, name) => caches.secrets.get(namespace, name),
        services: (namespace) => [...caches.services.all()].filter(({ metadata }) => metadata.namespace === namespace),
        node: machine,
      },
      volumes: {
        configMap: (namespace, name) => caches.configMaps.get(namespace, name),
        secret: (namespace, name) => caches.secrets.get(namespace, name),
        issueToken: (options) => api.issueToken(options),
        claim: (namespace, name) => caches.volumeClaims.get(namespace, name),
        volume: (name) => caches.volumes.get(undefined, name),
        clock,
        nodeRoot,
        manyUsers,
        node: machine,
      },
      tools,
      sockets: netnsSockets(stack.use(Netns.open(nodeNetns))),
      podsFolder: `${runFolder}/pods`,
      logsFolder: files.podLogs,
      rootMountPoint,
      manyUsers,
    }
    const kubelet = new Kubelet(components, caches, machine)
    kubelets.push(kubelet)
  }
  await Promise.all(kubelets.map((kubelet) => kubelet.start()))
  await proxy.apply()
  const kubeconfig = kubeconfigText({ name: config.name, url: `https://127.0.0.1:${o.port}`, pki })
  const close = async (): Promise<void> => {
    await Promise.all(kubelets.map((kubelet) => kubelet.close()))
    await stack.disposeAsync()
  }
  return { kubeconfig, client, close, [Symbol.asyncDispose]: close }
}

/** SQLite takes its time to load, so only who keeps data waits for it. */
async function openDataFolder(folder: string | undefined): Promise<DataFolder | undefined> {
  if (folder === undefined) return undefined
  const module = await import('./host/data-folder.ts')
  return module.DataFolder.open(folder)
}

/** Nodes of an earlier run with more of them: without their kubelets nothing on them lives. */
async function forgetNodes(client: ObjectClient, present: readonly string[]): Promise<void> {
  for (const { metadata } of (await client.list(GVR.nodes)).items) {
    const { name = '' } = metadata
    if (!present.includes(name)) await client.delete(GVR.nodes, undefined, name)
  }
}

/** Names under which the API server is asked, outside and inside. */
function servingNames(): string[] {
  const service = 'kubernetes.default'
  const names = ['localhost', 'kubernetes', service, `${service}.svc`, `${service}.svc.${NETWORK.clusterDomain}`]
  return [...names, '127.0.0.1', '::1', NETWORK.apiServiceIp, NETWORK.rootIp, NETWORK.rootIpV6]
}

/** Leaves out folders inside another one of the list. */
function outermost(path: string, _index: number, all: readonly string[]): boolean {
  return !all.some((other) => other !== path && path.startsWith(`${other}/`))
}

/** Whether users other than root can be taken on: a rootless sandbox maps only one. */
export function hasManyUsers(uidMap: string): boolean {
  return uidMap
    .trim()
    .split('\n')
    .some((line) => Number(line.trim().split(/\s+/)[2]) > 1)
}

/** The API server's second door: pods reach it through the service address, which leads here. */
async function alsoListen(server: Server): Promise<() => Promise<void>> {
  const inside = createServer((socket) => server.emit('connection', socket))
  inside.listen(NETWORK.apiPort, NETWORK.rootIp)
  await once(inside, 'listening')
  return () => new Promise((resolve) => inside.close(() => resolve()))
}

function openCaches(client: ObjectClient, logger: Logger, clock: Clock, stack: AsyncDisposableStack): ClusterCaches {
  const components = { client, logger: logger.scope('cache'), clock }
  return {
    ...openControllerCaches(components, stack),
    configMaps: stack.use(new ObjectCache<ConfigMap>(components, GVR.configMaps)),
    secrets: stack.use(new ObjectCache<Secret>(components, GVR.secrets)),
    networkPolicies: stack.use(new ObjectCache<NetworkPolicy>(components, GVR.networkPolicies)),
  }
}

type ClusterCaches = ControllerCaches & {
  readonly networkPolicies: ObjectCache<NetworkPolicy>
  readonly configMaps: ObjectCache<ConfigMap>
  readonly secrets: ObjectCache<Secret>
}

function zoneSource(caches: ClusterCaches, slices: SliceIndex): ZoneSource {
  return {
    domain: NETWORK.clusterDomain,
    serial: 1,
    service: (namespace, name) => caches.services.get(namespace, name),
    services: () => caches.services.all(),
    slices: (namespace, name) => slices.of(namespace, name),
    allSlices: () => caches.endpointSlices.all(),
    hasNamespace: (name) => caches.namespaces.get(undefined, name) !== undefined,
  }
}

/** Services whose endpoints are processes of the sandbox itself, not pods: the API server and the name server. */
async function publishClusterObjects(client: ObjectClient): Promise<void> {
  for (const name of ['kube-system', 'kube-node-lease', 'kube-public', 'default']) {
    await ensure(client, GVR.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  }
  await ensure(client, GVR.services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: NETWORK.apiServiceIp,
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: NETWORK.apiPort }],
    },
  })
  await ensure(client, GVR.services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kube-dns',
      namespace: 'kube-system',
      labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/name': 'CoreDNS', 'kubernetes.io/cluster-service': 'true' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: NETWORK.dnsServiceIp,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
      ],
    },
  })
  await publishEndpoints(client, 'default', 'kubernetes', NETWORK.rootIp, [
    { name: 'https', port: NETWORK.apiPort, protocol: 'TCP' },
  ])
  await publishEndpoints(client, 'kube-system', 'kube-dns', NETWORK.dnsIp, [
    { name: 'dns', port: NETWORK.dnsPort, protocol: 'UDP' },
    { name: 'dns-tcp', port: NETWORK.dnsPort, protocol: 'TCP' },
  ])
}

/** Endpoints that are no pods: a slice, and for old clients the object that says the same. */
async function publishEndpoints(
  client: ObjectClient,
  namespace: string,
  name: string,
  ip: string,
  ports: readonly object[],
): Promise<void> {
  await ensure(client, GVR.endpointSlices, fixedSlice(namespace, name, ip, ports))
  await ensure(client, GVR.endpoints, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name, namespace, labels: { [SKIP_MIRROR_LABEL]: 'true' } },
    subsets: [{ addresses: [{ ip }], ports }],
  })
}

/** People let their pods ask for names by allowing pods of this label. */
function nameServerPod(): PolicyPod {
  const ports = [
    { name: 'dns', port: NETWORK.dnsPort, protocol: 'UDP' },
    { name: 'dns-tcp', port: NETWORK.dnsPort, protocol: 'TCP' },
  ]
  return { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, ips: [NETWORK.dnsIp], node: '', ports }
}

function fixedSlice(
  namespace: string,
  service: string,
  ip: string,
  ports: readonly object[],
): Parameters<ObjectClient['create']>[1] {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: service, namespace, labels: { [SERVICE_NAME_LABEL]: service } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ip], conditions: { ready: true, serving: true, terminating: false } }],
    ports,
  }
}

async function ensure(client: ObjectClient, ...[gvr, object]: Parameters<ObjectClient['create']>): Promise<void> {
  try {
    await client.create(gvr, object)
  } catch (error) {
    if (!hasStatus(error, 409)) throw error
  }
}
