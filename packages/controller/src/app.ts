import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { LABELS } from '@ambit/api'
import { aborted, type Clock, type Closable, ip, type Logger, messageOf, systemClock } from '@ambit/core'
import {
  KINDS,
  KubeClient,
  type KubeConfig,
  type KubeObject,
  LeaderElection,
  loadKubeConfig,
  type ReadonlyObjectSet,
  reviewToken,
  StatusWriter,
  watchObjects,
} from '@ambit/kube'
import { AdminServer, metricsRoutes, type PrometheusMetrics } from '@ambit/telemetry'
import { DELTA_SERVER_OPTIONS, DeltaServer, ResourceTable } from '@ambit/xds'
import { Server } from '@grpc/grpc-js'
import { Authority } from './ca/authority.ts'
import { readPluggedCa } from './ca/ca-material.ts'
import { podLookup } from './ca/pod-lookup.ts'
import { type ConfigMap, keepRootCertificates, ROOT_CERT_NAME } from './ca/root-cert-config-map.ts'
import { loadOrCreateSelfSignedCa } from './ca/self-signed-ca.ts'
import { CaService } from './ca/service.ts'
import { ServingCredentials, servingNames } from './ca/serving-credentials.ts'
import { TOKEN_AUDIENCE, TokenAuthenticator } from './ca/token-authenticator.ts'
import type { ControllerConfig } from './config.ts'
import { debugRoutes } from './debug-routes.ts'
import { authenticateNode } from './discovery-authentication.ts'
import type { MeshConfig } from './domain.types.ts'
import { MeshIndex } from './index/mesh-index.ts'
import { CONNECTION_GRACE_MS, MAX_STREAMS_PER_CONNECTION, SHUTDOWN_MS } from './limits.ts'
import { decodeMeshConfig } from './mesh/mesh-config.ts'
import { Pusher } from './push.ts'
import { keepAllocated } from './status/ip-autoallocate.ts'
import { keepStatus } from './status/status-sync.ts'
import { watchCluster } from './watch/watch-cluster.ts'
import { WorkloadView } from './workload-view.ts'

export interface ControllerComponents {
  readonly logger: Logger
  readonly metrics: PrometheusMetrics
  readonly clock?: Clock
  /** How to reach the API server; from the configuration unless given. */
  readonly kubeConfig?: KubeConfig
  readonly listenIp?: string
}

export interface Controller extends Closable {
  /** Port of xDS and CA really bound. */
  readonly tlsPort: number
  readonly rootsPem: string
  readonly index: MeshIndex
  readonly table: ResourceTable
}

/** Starts the control plane; resolves when proxies may connect. */
export async function startController(config: ControllerConfig, components: ControllerComponents): Promise<Controller> {
  const { logger, metrics } = components
  const clock = components.clock ?? systemClock
  const listenIp = components.listenIp ?? '::'
  await using cleanup = new AsyncDisposableStack()
  const end = new AbortController()
  cleanup.defer(() => end.abort(new Error('controller stopped')))
  const { signal } = end

  const client = cleanup.use(
    new KubeClient(components.kubeConfig ?? loadKubeConfig({ kubeconfig: kubeconfigOf(config) })),
  )
  const table = new ResourceTable()
  const source = new WorkloadView(table)
  const clusterId = config.clusterId
  const index = new MeshIndex(
    { rootNamespace: config.namespace, trustDomain: 'cluster.local', clusterId, domain: config.domain, network: '' },
    table,
  )
  const pusher = cleanup.use(new Pusher({ index, clock, logger, metrics }))
  const state = { ready: false }

  const meshConfigs = watchObjects<ConfigMap>({
    client,
    kind: KINDS.configMap,
    namespace: config.namespace,
    fieldSelector: `metadata.name=${meshConfigName(config)}`,
    signal,
    logger,
  })
  const cluster = watchCluster({ client, index, domain: config.domain, logger, signal })
  followMesh({ config, index, meshConfigs, namespaces: cluster.sets.namespace, logger })

  // Monitoring first, so that a start that hangs can be looked at.
  const serving: { xds?: DeltaServer } = {}
  const admin = new AdminServer({
    logger,
    routes: [
      ...metricsRoutes(metrics),
      ...debugRoutes({
        source,
        connections: () => serving.xds?.connections() ?? [],
        version: config.version,
        isReady: () => state.ready,
      }),
    ],
  })
  cleanup.use(admin)
  await admin.listen({ ip: ip(listenIp), port: config.ports.monitoring })
  await admin.listen({ ip: ip(listenIp), port: config.ports.http })

  await meshConfigs.synced
  const authority = await loadAuthority(config, { client, clock, logger, index }, signal)
  void authority.follow(signal)
  await cluster.synced
  pusher.start()

  const tokens = new TokenAuthenticator({
    review: (token) => reviewToken(client, { token, audience: TOKEN_AUDIENCE, signal }),
    clock,
  })
  const ca = new CaService(
    { authority: () => authority.current.value, tokens, pods: podLookup(index.state.pods, client), logger, metrics },
    { trustedNodeAccounts: config.trustedNodeAccounts, trustDomain: () => index.state.mesh.trustDomain },
  )
  const xds = cleanup.use(
    new DeltaServer(
      { source, authenticate: (metadata, node) => authenticateNode(tokens, metadata, node), clock, logger, metrics },
      { debounceMs: 1, debounceMaxMs: 20, streamMaxAgeMs: config.maxConnectionAgeMs },
    ),
  )
  serving.xds = xds
  const server = new Server({
    ...DELTA_SERVER_OPTIONS,
    'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION,
    'grpc.max_connection_age_ms': config.maxConnectionAgeMs,
    'grpc.max_connection_age_grace_ms': CONNECTION_GRACE_MS,
  })
  server.addService(xds.service, xds.implementation)
  server.addService(ca.service, ca.implementation)
  const credentials = cleanup.use(
    new ServingCredentials(
      { authority: authority.current, clock },
      servingNames(config.namespace, config.revision, config.domain),
    ),
  )
  const tlsPort = await bind(server, listenIp, config.ports.tls, credentials)
  cleanup.defer(() => shutdown(server, clock))

  const leaderWork = startLeaderWork({ config, client, clock, logger, signal, authority, cluster, index })
  cleanup.defer(async () => {
    end.abort(new Error('controller stopped'))
    await leaderWork
  })
  state.ready = true
  logger.info('control plane is ready', { port: tlsPort, pods: index.state.pods.size })
  const owned = cleanup.move()
  return {
    tlsPort,
    index,
    table,
    get rootsPem() {
      return authority.current.value.rootsPem
    },
    close: () => owned.disposeAsync(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function kubeconfigOf(config: ControllerConfig): string | undefined {
  return config.kubeconfig !== undefined && existsSync(config.kubeconfig) ? config.kubeconfig : undefined
}

function meshConfigName(config: ControllerConfig): string {
  return config.revision === 'default' ? 'istio' : `istio-${config.revision}`
}

/** The mesh-wide settings follow their ConfigMap and the root namespace's network label. */
function followMesh(parts: {
  readonly config: ControllerConfig
  readonly index: MeshIndex
  readonly meshConfigs: ReadonlyObjectSet<ConfigMap>
  readonly namespaces: ReadonlyObjectSet<KubeObject>
  readonly logger: Logger
}): void {
  const { config, index, meshConfigs, namespaces, logger } = parts
  let mesh: MeshConfig = index.state.mesh
  const set = (): void => {
    const network = namespaces.get(undefined, mesh.rootNamespace)?.metadata.labels?.[LABELS.network] ?? ''
    index.setMesh({ ...index.state.mesh, ...mesh, network })
  }
  const read = (map: ConfigMap | undefined): void => {
    const verdict = decodeMeshConfig(map?.data?.['mesh'], config.namespace)
    if (verdict.ok) mesh = verdict.config
    else logger.error(`ConfigMap ${config.namespace}/${meshConfigName(config)} key mesh not taken: ${verdict.reason}`)
    set()
  }
  meshConfigs.subscribe({ add: read, update: read, delete: () => read(undefined) })
  namespaces.subscribe({ add: set, update: set, delete: set })
}

async function loadAuthority(
  config: ControllerConfig,
  parts: { readonly client: KubeClient; readonly clock: Clock; readonly logger: Logger; readonly index: MeshIndex },
  signal: AbortSignal,
): Promise<Authority> {
  const { client, clock, logger, index } = parts
  const read = async (): ReturnType<typeof loadOrCreateSelfSignedCa> =>
    (await readPluggedCa(config.pluggedCaFolder)) ??
    (await loadOrCreateSelfSignedCa(client, {
      namespace: config.namespace,
      trustDomain: index.state.mesh.trustDomain,
    }))
  const options = { defaultTtlSeconds: config.defaultCertTtlSeconds, maxTtlSeconds: config.maxCertTtlSeconds }
  for (;;) {
    try {
      return await Authority.load({ read, clock, logger }, options)
    } catch (error) {
      // Without an authority nothing can be served; whoever repairs the Secret need not restart us.
      logger.error(`no certificate authority yet: ${messageOf(error)}`)
      await clock.sleep(2_000, signal)
    }
  }
}

function bind(server: Server, listenIp: string, port: number, credentials: ServingCredentials): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const address = listenIp.includes(':') ? `[${listenIp}]:${port}` : `${listenIp}:${port}`
  server.bindAsync(address, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)))
  return promise
}

/** Lets calls end by themselves for a while, then cuts them off. */
async function shutdown(server: Server, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.tryShutdown(() => resolve())
  using _deadline = clock.after(SHUTDOWN_MS, () => server.forceShutdown())
  await promise
}

/** What only one replica does. Lease names are Istio's, so that an upgrade hands over cleanly. */
async function startLeaderWork(parts: {
  readonly config: ControllerConfig
  readonly client: KubeClient
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly authority: Authority
  readonly cluster: ReturnType<typeof watchCluster>
  readonly index: MeshIndex
}): Promise<void> {
  const { config, client, clock, signal, authority, cluster, index } = parts
  const logger = parts.logger.scope('leader')
  const identity = config.podName || hostname()
  const elect = (name: string, lead: (leading: AbortSignal) => Promise<void> | void): Promise<void> =>
    new LeaderElection({ client, clock, logger }, { namespace: config.namespace, name, identity }).run(signal, lead)
  const work = [
    elect('istio-namespace-controller-election', async (leading) => {
      const configMaps = watchObjects<ConfigMap>({
        client,
        kind: KINDS.configMap,
        fieldSelector: `metadata.name=${ROOT_CERT_NAME}`,
        signal: leading,
        logger,
      })
      const parts = {
        client,
        authority: authority.current,
        namespaces: cluster.sets.namespace,
        configMaps,
        clock,
        logger,
      }
      await keepRootCertificates(parts, leading)
    }),
  ]
  if (config.statusEnabled) {
    work.push(
      elect('istio-status-leader', async (leading) => {
        using writer = new StatusWriter({ client, clock, logger })
        keepStatus({ index, sets: cluster.sets, writer, clock }, leading)
        await aborted(leading)
      }),
    )
  }
  if (config.ipAutoallocate) {
    work.push(
      elect('istio-ip-autoallocate', async (leading) => {
        using writer = new StatusWriter({ client, clock, logger })
        keepAllocated({ entries: cluster.sets.serviceEntry, writer, logger }, leading)
        await aborted(leading)
      }),
    )
  }
  await Promise.all(work)
}
