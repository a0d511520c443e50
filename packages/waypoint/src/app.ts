import { type Clock, type Closable, type Ip, ip, messageOf, type SocketAddress, systemClock } from '@ambit/core'
import { framedEngine, HbonePool } from '@ambit/hbone'
import { type CaClient, GrpcCaClient, SecretManager, type WorkloadCertificate } from '@ambit/identity'
import { hostSockets } from '@ambit/linux'
import { authorizeRequest, CompiledRequestPolicies, type RequestFacts, type RequestVerdict } from '@ambit/policy'
import type { ListenerTable } from '@ambit/route'
import { CredentialStore, DestinationStore, HttpPolicyStore, TrafficPolicyStore, WorkloadStore } from '@ambit/state'
import {
  AdminServer,
  batchedOutput,
  createLogger,
  type LeveledLogger,
  listenAnywhere,
  metricsRoutes,
  PrometheusMetrics,
  Readiness,
  readinessRoute,
  registerProcessMetrics,
} from '@ambit/telemetry'
import { DeltaClient } from '@ambit/xds'
import { adminRoutes } from './admin.ts'
import type { AppOverrides, BoundPorts } from './app.types.ts'
import { gatewaySide, meshSide } from './client-side.ts'
import type { ClientSide } from './client-side.types.ts'
import type { Config } from './config.types.ts'
import { configDump } from './config-dump.ts'
import { Forwarder } from './forward.ts'
import type { Gateway } from './gateway/gateway.ts'
import { Http1Front } from './http/http1-front.ts'
import { Http2Front } from './http/http2-front.ts'
import { DEFAULT_CONNECT_TIMEOUT_MS } from './limits.ts'
import { Mirrors } from './mirror.ts'
import { nodeMessage } from './node-message.ts'
import { OpenConnections } from './open-connections.ts'
import { ownWorkload } from './own-workload.ts'
import { pipeline } from './pipeline.ts'
import type { Downstream } from './request.types.ts'
import { requestHandler } from './request-handler.ts'
import { requestSteps } from './request-steps.ts'
import { identifyDestination } from './steps/identify-destination.ts'
import { identifyHost } from './steps/identify-host.ts'
import { TcpProxy } from './tcp-proxy.ts'
import { AccessLog } from './telemetry/access-log.ts'
import { reporterOf } from './telemetry/reporter.ts'
import { sourceOf } from './telemetry/source-of.ts'
import { TrafficEvents } from './telemetry/traffic-events.ts'
import { TrafficLookup } from './traffic-lookup.ts'
import { Clusters } from './upstream/clusters.ts'
import { EndpointChoice } from './upstream/endpoint-choice.ts'
import { EndpointConnector } from './upstream/endpoint-connector.ts'
import { Http2Pool } from './upstream/http2-pool.ts'
import { UpstreamPools } from './upstream/upstream-pools.ts'
import { VERSION } from './version.ts'
import { whenCertificate, whenSettings } from './when-told.ts'
import { type Stores, subscriptions } from './xds-state.ts'

/** One running waypoint or gateway: constructs every part and owns its end. */
export class App implements Closable {
  readonly #config: Config
  readonly #overrides: AppOverrides
  readonly #clock: Clock
  readonly #stack = new AsyncDisposableStack()
  readonly #metrics = new PrometheusMetrics()
  readonly #readiness = new Readiness()
  readonly #quit = Promise.withResolvers<void>()
  readonly #ready = Promise.withResolvers<void>()
  readonly #stores: Stores
  readonly #secrets: SecretManager
  readonly #policies: CompiledRequestPolicies
  readonly #events: TrafficEvents
  readonly #http1: Http1Front
  readonly #http2: Http2Front
  readonly #open: OpenConnections
  readonly #tcp: TcpProxy
  readonly #clients: ClientSide
  readonly #gateway: Gateway | undefined
  readonly #pools: UpstreamPools
  readonly logger: LeveledLogger
  #bound: BoundPorts | undefined
  #closing: Promise<void> | undefined
  #draining: Promise<void> | undefined

  private constructor(config: Config, overrides: AppOverrides) {
    this.#config = config
    this.#overrides = overrides
    const clock = overrides.clock ?? systemClock
    const random = overrides.random ?? Math.random
    const output = overrides.accessLog ?? batchedOutput(1)
    this.#clock = clock
    this.logger = overrides.logger ?? createLogger({ ...config.log, write: output, clock })
    const { logger } = this
    const metrics = this.#metrics
    const workloads = new WorkloadStore({ clock }, { nodeName: '' })
    const destinations = new DestinationStore()
    const policies = new HttpPolicyStore()
    const credentials = new CredentialStore()
    const trafficPolicies = new TrafficPolicyStore()
    this.#stores = { workloads, destinations, policies, trafficPolicies, credentials }
    const clusters = this.#stack.use(new Clusters({ policies: trafficPolicies, now: () => clock.monotonic() }))
    const lookup = new TrafficLookup({ workloads, destinations }, config)
    this.#policies = this.#stack.use(new CompiledRequestPolicies(policies))
    this.#secrets = this.#stack.use(
      new SecretManager(
        { ca: overrides.ca ?? this.#caClient(), clock, logger },
        { ttlSeconds: config.secretTtlSeconds },
      ),
    )
    const sockets = overrides.sockets ?? hostSockets()
    const connectTimeoutMs = (): number => destinations.settings?.connectTimeoutMs || DEFAULT_CONNECT_TIMEOUT_MS
    const pool = this.#stack.use(
      new HbonePool({
        dial: (to, signal) => sockets.dial({ to, timeoutMs: connectTimeoutMs(), signal }),
        certificate: (identity, signal) => this.#secrets.get(identity, signal),
        clock,
        logger,
        engine: framedEngine,
      }),
    )
    const connector = new EndpointConnector({ pool, sockets }, { identity: config.identity, ownIp: config.instanceIp })
    const http2 = new Http2Pool({ connector, clock })
    this.#pools = new UpstreamPools({ connector, http2, clock })
    const endpoints = new EndpointChoice({
      lookup: workloads,
      source: () => ownWorkload(workloads, config),
      clock,
      random,
      isIngress: config.role === 'gateway',
    })
    this.#events = new TrafficEvents(
      {
        metrics,
        logger,
        accessLog: new AccessLog({
          write: output,
          settings: () => destinations.settings?.accessLog,
        }),
        sourceOf: sourceOf({ client: (tunnel) => lookup.client(tunnel), own: () => ownWorkload(workloads, config) }),
        fieldsRead: (names) => this.#policies.fieldsRead(names),
        clock,
      },
      { reporter: reporterOf(config) },
    )
    const service = (key: string): ReturnType<WorkloadStore['service']> => workloads.service(key)
    const mirrors = new Mirrors({
      pools: this.#pools,
      endpoints,
      clusters,
      service,
      clock,
      logger: logger.scope('mirror'),
    })
    this.#open = new OpenConnections({
      judge: this.#judge,
      find: (downstream) => {
        if (downstream.kind === 'tunnel') return lookup.target(downstream)
        return destinations.settings && { destination: destinations.settings }
      },
    })
    const forwarder = new Forwarder({ pools: this.#pools, endpoints, mirrors, open: this.#open, clock, random })
    const steps = requestSteps(
      {
        identifyDestination:
          config.role === 'gateway'
            ? identifyHost(() => this.#gatewayTable())
            : identifyDestination((tunnel) => lookup.target(tunnel)),
        judge: this.#judge,
        events: this.#events,
        clusters,
        clock,
        service,
        random,
      },
      { ownIdentity: config.identity },
    )
    const requests = {
      pipeline: pipeline(steps, (state) => forwarder.forward(state)),
      settings: () => destinations.settings,
      events: this.#events,
      clock,
      logger,
    }
    this.#tcp = new TcpProxy({
      judge: this.#judge,
      service,
      clusters,
      random,
      endpoints,
      pools: this.#pools,
      connectTimeoutMs,
      open: this.#open,
      events: this.#events,
      clock,
    })
    this.#http2 = new Http2Front({ clock }, { headersTimeoutMs: overrides.headersTimeoutMs })
    this.#http1 = new Http1Front({ clock }, { headersTimeoutMs: overrides.headersTimeoutMs })
    const clients = {
      sockets,
      http1: this.#http1,
      http2: this.#http2,
      handler: (downstream: Downstream) => requestHandler(requests, downstream),
      clock,
    }
    this.#gateway =
      config.role === 'gateway'
        ? gatewaySide({ ...clients, destinations, credentials, logger }, config, overrides)
        : undefined
    this.#clients =
      this.#gateway ??
      meshSide(
        {
          ...clients,
          find: (authority) => lookup.destination(authority),
          settings: () => destinations.settings,
          tcp: this.#tcp.serve,
          certificate: () => this.#certificate(),
          logger,
        },
        config,
        overrides,
      )
  }

  /** Resolves once the process listens; readiness tells when the rest is there. */
  static async start(config: Config, overrides: AppOverrides = {}): Promise<App> {
    const app = new App(config, overrides)
    try {
      await app.#start()
      return app
    } catch (error) {
      await app.close()
      throw error
    }
  }

  /** Resolves when somebody asked over HTTP for a graceful end. */
  get quitRequested(): Promise<void> {
    return this.#quit.promise
  }

  /** Resolves when everything requests need has arrived. */
  get whenReady(): Promise<void> {
    return this.#ready.promise
  }

  get bound(): BoundPorts {
    if (this.#bound === undefined) throw new TypeError('not started')
    return this.#bound
  }

  /** Tunnels of a waypoint, connections of a gateway. */
  get openTunnels(): number {
    return this.#clients.size
  }

  /** Graceful end: clients are told to go elsewhere, and who comes meanwhile is served. */
  async drain(): Promise<void> {
    this.#draining ??= this.#drain()
    await this.#draining
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #drain(): Promise<void> {
    const { minDrainMs, drainDeadlineMs } = this.#config
    this.logger.info('draining', { deadlineMs: drainDeadlineMs })
    this.#readiness.task('shutdown')
    this.#clients.startDrain(drainDeadlineMs)
    this.#http1.drain()
    this.#http2.drain()
    await this.#clock.sleep(minDrainMs)
    // Kept connections on which nothing is under way; who still knows them has been told for a while now.
    this.#http1.closeIdle()
    this.#clients.closeSilent()
    const deadline = Promise.withResolvers<void>()
    using _timer = this.#clock.after(Math.max(0, drainDeadlineMs - minDrainMs), deadline.resolve)
    await Promise.race([this.#clients.idle(), deadline.promise])
    await this.close()
  }

  async #close(): Promise<void> {
    this.#http1.close()
    this.#http2.close()
    this.#clients.cutAll()
    this.#pools.close()
    await this.#clients.close()
    await this.#stack.disposeAsync()
  }

  async #start(): Promise<void> {
    const config = this.#config
    const { destinations } = this.#stores
    this.logger.info('starting', {
      version: VERSION,
      gateway: `${config.namespace}/${config.gateway}`,
      pod: config.podName,
    })
    const stateReady = this.#readiness.task('state')
    const certificateReady = this.#readiness.task('certificate')
    await this.#startServers()
    this.#stack.use(
      destinations.subscribe(({ settings }) => {
        if (settings && destinations.settings !== undefined) this.#policies.setTrustDomains(destinations.settings)
        this.#open.reevaluate()
      }),
    )
    this.#stack.use(this.#stores.policies.subscribe(() => this.#open.reevaluate()))
    const xds = this.#stack.use(
      new DeltaClient(
        { clock: this.#clock, logger: this.logger, metrics: this.#metrics },
        {
          address: config.controlPlane,
          root: config.root,
          token: config.token,
          clusterId: config.clusterId,
          node: nodeMessage(config),
          types: subscriptions(this.#stores, config.role),
        },
      ),
    )
    xds.start()
    const whenState = xds.synced.then(async () => {
      await whenSettings(destinations)
      if (this.#gateway !== undefined) await this.#gateway.start()
      stateReady(true)
      this.logger.info('state is complete')
    })
    const whenCertified = whenCertificate(this.#secrets, config.identity).then(() => certificateReady(true))
    Promise.all([whenState, whenCertified]).then(
      () => this.#ready.resolve(),
      (error: unknown) => this.logger.debug('start was ended', { error: messageOf(error) }),
    )
  }

  #gatewayTable(): ListenerTable {
    if (this.#gateway === undefined) throw new TypeError('a waypoint has no listeners')
    return this.#gateway.table
  }

  async #certificate(): Promise<WorkloadCertificate> {
    return await this.#secrets.get(this.#config.identity)
  }

  readonly #judge = (names: readonly string[], facts: RequestFacts): RequestVerdict =>
    authorizeRequest(facts, this.#policies.policiesFor(names))

  #caClient(): CaClient {
    const { controlPlane, root, token, clusterId } = this.#config
    return this.#stack.use(
      new GrpcCaClient(
        { logger: this.logger },
        { address: controlPlane, root, token, clusterId, headers: {}, altHostname: undefined, impersonate: false },
      ),
    )
  }

  async #startServers(): Promise<void> {
    const { adminIp } = this.#overrides
    const { ports, ipv6Enabled, version } = this.#config
    const anywhere = ip(ipv6Enabled ? '::' : '0.0.0.0')
    const at = (fallback: Ip, port: number): SocketAddress => ({
      ip: adminIp ?? fallback,
      port: adminIp === undefined ? port : 0,
    })
    const metrics = this.#metrics
    this.#stack.use(registerProcessMetrics(metrics))
    metrics
      .gauge({ name: 'istio_build', help: 'Istio component build info', labelNames: ['component', 'tag'] })
      .set({ component: 'proxy', tag: version === 'unknown' ? VERSION : version }, 1)
    metrics.gaugeFunction(
      { name: 'ambit_flow_followers', help: 'Clients that follow the flows' },
      () => this.#events.flows.followers,
    )
    const logger = this.logger.scope('admin')
    const admin = new AdminServer({
      logger,
      routes: adminRoutes({
        logControl: this.logger.filter,
        metrics,
        configDump: () =>
          configDump({
            ...this.#stores,
            certificates: () => this.#secrets.states(),
            listeners: this.#gateway?.tlsStates ?? [],
            config: this.#config,
            version: VERSION,
          }),
        serverInfo: () => ({
          version: VERSION,
          state: this.#draining === undefined ? 'LIVE' : 'DRAINING',
          pending: this.#readiness.pending,
        }),
        flows: this.#events.flows,
        now: () => this.#clock.now(),
        shutdown: () => this.#quit.resolve(),
      }),
    })
    const stats = new AdminServer({ logger, routes: metricsRoutes(metrics) })
    const readiness = new AdminServer({ logger, routes: [readinessRoute(this.#readiness)] })
    for (const server of [readiness, stats, admin]) this.#stack.use(server)
    if (this.#gateway === undefined) await this.#clients.start()
    this.#bound = {
      readiness: await listenAnywhere(readiness, at(anywhere, ports.readiness)),
      stats: await listenAnywhere(stats, at(anywhere, ports.stats)),
      admin: await admin.listen(at(ip('127.0.0.1'), ports.admin)),
    }
  }
}
