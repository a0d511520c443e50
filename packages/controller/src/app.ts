import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { abortable, type Clock, type Closable, ip, type Logger, messageOf, systemClock } from '@ambit/core'
import { KINDS, KubeClient, type KubeConfig, loadKubeConfig, reviewToken, watchObjects } from '@ambit/kube'
import { AdminServer, metricsRoutes, type PrometheusMetrics } from '@ambit/telemetry'
import { DELTA_SERVER_OPTIONS, DeltaServer, ResourceTable } from '@ambit/xds'
import { Server } from '@grpc/grpc-js'
import { loadAuthority } from './ca/load-authority.ts'
import { podLookup } from './ca/pod-lookup.ts'
import type { ConfigMap } from './ca/root-cert-config-map.ts'
import { CaService, CREATE_CERTIFICATE } from './ca/service.ts'
import { ServingCredentials, servingNames } from './ca/serving-credentials.ts'
import { TOKEN_AUDIENCE, TokenAuthenticator } from './ca/token-authenticator.ts'
import type { ControllerConfig } from './config.ts'
import { restrictDebug } from './debug-access.ts'
import { debugRoutes } from './debug-routes.ts'
import { authenticateNode } from './discovery-authentication.ts'
import { MeshIndex } from './index/mesh-index.ts'
import { REFERENCES } from './index/publication.ts'
import { startLeaderWork } from './leader-work.ts'
import { CONNECTION_GRACE_MS, CREDENTIALS_START_MS, MAX_STREAMS_PER_CONNECTION, SHUTDOWN_MS } from './limits.ts'
import { followMesh, meshConfigName } from './mesh/follow-mesh.ts'
import { Pusher } from './push.ts'
import { logRuleProblems } from './status/log-rule-problems.ts'
import { tokenGate } from './token-gate.ts'
import { WebhookServer } from './validation/webhook-server.ts'
import { watchCluster } from './watch/watch-cluster.ts'
import { CredentialWatches } from './watch/watch-credentials.ts'
import { WorkloadView } from './workload-view.ts'

export interface ControllerComponents {
  readonly logger: Logger
  readonly metrics: PrometheusMetrics
  readonly clock?: Clock
  /** How to reach the API server; from the configuration unless given. */
  readonly kubeConfig?: KubeConfig
  readonly listenIp?: string
  /** Gives a start up that waits for what may never come: the API server's first lists, a readable CA. */
  readonly giveUp?: AbortSignal
}

export interface Controller extends Closable {
  /** Port of xDS and CA really bound. */
  readonly tlsPort: number
  /** Port of the validation webhook really bound. */
  readonly webhookPort: number
  readonly rootsPem: string
  readonly index: MeshIndex
  readonly table: ResourceTable
}

/** Starts the control plane; resolves when proxies may connect. */
export async function startController(config: ControllerConfig, components: ControllerComponents): Promise<Controller> {
  const { logger, metrics } = components
  const clock = components.clock ?? systemClock
  const listenIp = components.listenIp ?? anyAddress()
  await using cleanup = new AsyncDisposableStack()
  const end = new AbortController()
  cleanup.defer(() => end.abort(new Error('controller stopped')))
  const { signal } = end
  const starting = components.giveUp

  const client = cleanup.use(
    new KubeClient(components.kubeConfig ?? loadKubeConfig({ kubeconfig: kubeconfigOf(config) })),
  )
  const table = new ResourceTable()
  const source = new WorkloadView(table)
  const clusterId = config.clusterId
  const index = new MeshIndex(
    {
      rootNamespace: config.namespace,
      trustDomain: 'cluster.local',
      clusterId,
      domain: config.domain,
      network: '',
      dryRunEnabled: config.dryRunPolicies,
      gatewaysStayInNamespace: config.gatewaysStayInNamespace,
    },
    table,
  )
  index.onError((unit, error) =>
    logger.error(`cannot compile ${unit}, its last state stays in force: ${messageOf(error)}`),
  )
  cleanup.use(index.onStatus(logRuleProblems(logger.scope('rules'))))
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
  const { domain, revision, namespace } = config
  const cluster = watchCluster({ client, index, domain, revision, namespace, logger, signal })
  followMesh({ config, index, meshConfigs, cluster, logger })

  metrics
    .gauge({ name: 'istio_build', help: 'Version of this component', labelNames: ['component', 'tag'] })
    .set({ component: 'pilot', tag: config.version }, 1)
  const tokens = new TokenAuthenticator({
    review: (token) => reviewToken(client, { token, audience: TOKEN_AUDIENCE, signal }),
    clock,
  })
  // Monitoring first, so that a start that hangs can be looked at.
  const serving: { xds?: DeltaServer } = {}
  const admin = new AdminServer({
    logger,
    routes: [
      ...metricsRoutes(metrics),
      ...restrictDebug(
        debugRoutes({
          source,
          connections: () => serving.xds?.connections() ?? [],
          version: config.version,
          isReady: () => state.ready,
        }),
        { tokens, namespace: config.namespace },
      ),
    ],
  })
  cleanup.use(admin)
  await admin.listen({ ip: ip(listenIp), port: config.ports.monitoring })
  await admin.listen({ ip: ip(listenIp), port: config.ports.http })

  await abortable(meshConfigs.synced, starting)
  const authority = await abortable(loadAuthority(config, { client, clock, logger, index }, signal), starting)
  void authority.follow(signal)
  await abortable(cluster.synced, starting)
  await abortable(pusher.start(), starting)
  const credentials = cleanup.use(new CredentialWatches({ client, index, logger }))
  await abortable(atMost(credentials.synced, CREDENTIALS_START_MS, clock), starting)

  const pods = podLookup(index.state.pods, client)
  const ca = new CaService(
    { authority: () => authority.current.value, tokens, pods, logger, metrics },
    { trustedNodeAccounts: config.trustedNodeAccounts, trustDomain: () => index.state.mesh.trustDomain },
  )
  const xds = cleanup.use(
    new DeltaServer(
      {
        source,
        authenticate: (metadata, node) => authenticateNode({ tokens, pods }, metadata, node),
        clock,
        logger,
        metrics,
      },
      // The pusher has collected already.
      { debounceMs: 0, debounceMaxMs: 0, streamMaxAgeMs: config.maxConnectionAgeMs, references: REFERENCES },
    ),
  )
  serving.xds = xds
  const server = new Server({
    ...DELTA_SERVER_OPTIONS,
    'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION,
    'grpc.max_connection_age_ms': config.maxConnectionAgeMs,
    'grpc.max_connection_age_grace_ms': CONNECTION_GRACE_MS,
    interceptors: [
      tokenGate({
        tokens,
        onRefused: (path, peer, reason) => {
          if (path === CREATE_CERTIFICATE.path) ca.noteRefusal(peer, reason)
          else logger.warn('xDS client refused', { peer, reason })
        },
      }),
    ],
  })
  server.addService(xds.service, xds.implementation)
  server.addService(ca.service, ca.implementation)
  const servingCredentials = cleanup.use(
    new ServingCredentials(
      { authority: authority.current, clock, logger },
      servingNames(config.namespace, config.revision, config.domain),
    ),
  )
  const tlsPort = await bind(server, listenIp, config.ports.tls, servingCredentials)
  const webhook = cleanup.use(
    new WebhookServer({
      followKeys: (listener) => servingCredentials.follow(listener),
      metrics,
      logger: logger.scope('validation'),
    }),
  )
  const webhookPort = await webhook.listen(listenIp, config.ports.webhook)
  const leaderWork = startLeaderWork({ config, client, clock, logger, signal, authority, cluster, index, meshConfigs })
  cleanup.defer(async () => {
    state.ready = false
    end.abort(new Error('controller stopped'))
    // Proxies are let go at once; an API server that does not answer must not keep the leases' release waiting for ever.
    await Promise.all([shutdown(server, xds, clock), atMost(leaderWork, SHUTDOWN_MS, clock)])
  })
  state.ready = true
  logger.info('control plane is ready', { port: tlsPort, pods: index.state.pods.size })
  const owned = cleanup.move()
  return {
    tlsPort,
    webhookPort,
    index,
    table,
    get rootsPem() {
      return authority.current.value.rootsPem
    },
    close: () => owned.disposeAsync(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Both families where there are both; a kernel without IPv6 refuses `::`. */
function anyAddress(): string {
  const families = Object.values(networkInterfaces()).flatMap((some) => (some ?? []).map(({ family }) => family))
  return families.includes('IPv6') ? '::' : '0.0.0.0'
}

function kubeconfigOf(config: ControllerConfig): string | undefined {
  return config.kubeconfig !== undefined && existsSync(config.kubeconfig) ? config.kubeconfig : undefined
}

function bind(server: Server, listenIp: string, port: number, credentials: ServingCredentials): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const address = listenIp.includes(':') ? `[${listenIp}]:${port}` : `${listenIp}:${port}`
  server.bindAsync(address, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)))
  return promise
}

/** Takes no calls any more, ends the streams, lets other calls end by themselves for a while, then cuts them off. */
async function shutdown(server: Server, xds: DeltaServer, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.tryShutdown(() => resolve())
  await xds.close()
  using _deadline = clock.after(SHUTDOWN_MS, () => server.forceShutdown())
  await promise
}

async function atMost(work: Promise<unknown>, ms: number, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  using _deadline = clock.after(ms, () => resolve())
  await Promise.race([work, promise])
}
