import { readFileSync, statSync } from 'node:fs'
import { TYPE_URLS } from '@ambit/api'
import {
  type Clock,
  type Closable,
  type DialOptions,
  formatSocketAddress,
  type Ip,
  ip,
  messageOf,
  type SocketAddress,
  type SocketFactory,
  systemClock,
} from '@ambit/core'
import { HbonePool, HboneServer } from '@ambit/hbone'
import { type CaClient, CaUnavailableError, GrpcCaClient, SecretManager } from '@ambit/identity'
import {
  hostSockets,
  interfaceAddresses,
  markedSockets,
  Netns,
  netnsSockets,
  SeqpacketConnection,
  warmThreadPool,
} from '@ambit/linux'
import { dumpPolicy, dumpService, dumpWorkload, PolicyStore, WorkloadStore } from '@ambit/state'
import {
  AdminServer,
  batchedOutput,
  createLogger,
  type LeveledLogger,
  PrometheusMetrics,
  Readiness,
  readinessRoute,
  registerProcessMetrics,
} from '@ambit/telemetry'
import { DeltaClient } from '@ambit/xds'
import { adminRoutes, statsRoutes } from './admin.ts'
import type { Config, WorkloadInfo } from './config.types.ts'
import { configDump } from './config-dump.ts'
import { Connections } from './connections.ts'
import { DnsForwarder } from './dns/forwarder.ts'
import { parseResolvConf, type ResolvConf } from './dns/resolv-conf.ts'
import { type DnsMetrics, DnsServer, dnsMetrics } from './dns/server.ts'
import { ConnectionEvents } from './events.ts'
import { ConnectionFailure } from './failures.ts'
import { Inbound } from './inbound.ts'
import { InboundPlaintext } from './inbound-plaintext.ts'
import { CONNECT_TIMEOUT_MS, DEMAND_TIMEOUT_MS, DNS_PORT, MAX_LOCAL_XDS_BYTES } from './limits.ts'
import { LocalWorkload } from './local-workload.ts'
import { LocalXdsError, parseLocalXds } from './local-xds.ts'
import { nodeMessage } from './node-message.ts'
import { Outbound } from './outbound.ts'
import { type PodNetns, PodProxies } from './pod-proxies.ts'
import { PodProxy } from './pod-proxy.ts'
import { PolicyLog } from './policy-log.ts'
import { followIdentities } from './prefetch.ts'
import { Relay } from './relay.ts'
import { subscriptions } from './xds-state.ts'
import { ZdsClient } from './zds-client.ts'

/** Parts that a test, or another host program, brings itself. */
export interface AppOverrides {
  readonly clock?: Clock
  readonly ca?: CaClient
  /** Sockets of the dedicated pod. */
  readonly sockets?: SocketFactory
  /** Where the DNS proxy of the dedicated pod listens. */
  readonly dnsAddresses?: readonly Ip[]
  /** Name servers queries are forwarded to. */
  readonly nameservers?: readonly SocketAddress[]
  readonly logger?: LeveledLogger
  readonly random?: () => number
  /** Address the administration ports listen on; any port becomes 0 where this is given. */
  readonly adminIp?: Ip
}

/** Addresses really bound, for tests and logs. */
export interface BoundPorts {
  readonly admin: SocketAddress
  readonly stats: SocketAddress
  readonly readiness: SocketAddress
}

const VERSION = '0.1.0'
const RESOLV_CONF = '/etc/resolv.conf'

/** One running ztunnel: constructs every part and owns its end. */
export class App implements Closable {
  readonly #config: Config
  readonly #overrides: AppOverrides
  readonly #clock: Clock
  readonly #stack = new AsyncDisposableStack()
  readonly #stop = new AbortController()
  readonly #metrics = new PrometheusMetrics()
  readonly #readiness = new Readiness()
  readonly #failure = Promise.withResolvers<never>()
  readonly #quit = Promise.withResolvers<void>()
  readonly #proxying = Promise.withResolvers<void>()
  readonly #resolvConf: ResolvConf
  readonly #dnsMetrics: DnsMetrics
  readonly #policyLog: PolicyLog
  readonly #relay = new Relay()
  readonly #localXds: unknown
  readonly logger: LeveledLogger
  readonly store: WorkloadStore
  readonly policies: PolicyStore
  readonly secrets: SecretManager
  readonly events: ConnectionEvents
  readonly pods: PodProxies
  #xds: DeltaClient | undefined
  #bound: BoundPorts | undefined
  #closing: Promise<void> | undefined

  private constructor(config: Config, overrides: AppOverrides) {
    this.#config = config
    this.#overrides = overrides
    this.#clock = overrides.clock ?? systemClock
    this.logger = overrides.logger ?? createLogger({ ...config.log, write: batchedOutput(1), clock: this.#clock })
    const components = { clock: this.#clock, logger: this.logger, metrics: this.#metrics }
    this.store = new WorkloadStore(components, {
      nodeName: config.nodeName,
      preferredServiceNamespace: config.preferredServiceNamespace,
    })
    this.policies = new PolicyStore()
    this.events = new ConnectionEvents(components)
    this.#dnsMetrics = dnsMetrics(this.#metrics)
    this.#policyLog = new PolicyLog(this.logger, { info: config.authorizationInfoLogging })
    this.#localXds = this.#loadLocalXds()
    this.#resolvConf = readResolvConf()
    this.secrets = this.#stack.use(
      new SecretManager(
        { ca: overrides.ca ?? this.#caClient(), clock: this.#clock, logger: this.logger },
        { ttlSeconds: config.secretTtlSeconds },
      ),
    )
    const proxiesReady = this.#readiness.task('workload proxy manager')
    this.pods = new PodProxies({
      ...components,
      logger: this.logger.scope('proxies'),
      start: (_uid, workload, netns) => this.#startPod(workload, netns),
      onReady: (ready) => {
        proxiesReady(ready)
        if (ready) this.#proxying.resolve()
      },
    })
    this.#failure.promise.catch(() => undefined)
  }

  /** Resolves once the process serves its administration ports; everything else follows and readiness tells when. */
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

  /** Rejects when the process cannot go on. */
  get failed(): Promise<never> {
    return this.#failure.promise
  }

  /** Resolves when somebody asked over HTTP for a graceful end. */
  get quitRequested(): Promise<void> {
    return this.#quit.promise
  }

  /** Resolves when the first complete set of pods is proxied. */
  get proxying(): Promise<void> {
    return Promise.race([this.#proxying.promise, this.failed])
  }

  get bound(): BoundPorts {
    if (this.#bound === undefined) throw new TypeError('not started')
    return this.#bound
  }

  get ready(): boolean {
    return this.#readiness.pending.length === 0
  }

  /** Graceful end: no new connections, those open may finish until the deadline. */
  async drain(): Promise<void> {
    this.logger.info('draining', { deadlineMs: this.#config.drainDeadlineMs })
    this.#readiness.task('shutdown')
    this.#stop.abort(new Error('ztunnel is shutting down'))
    await this.pods.drain(this.#config.drainDeadlineMs)
    await this.close()
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    this.#stop.abort(new Error('ztunnel is closing'))
    await this.pods.drain(0)
    await this.#xds?.close()
    await this.#stack.disposeAsync()
  }

  async #start(): Promise<void> {
    const { ignored, mode, version } = this.#config
    if (ignored.length > 0) this.logger.warn('settings without effect here', { names: ignored.join(', ') })
    this.logger.info('starting', { version: VERSION, istio: version, mode: mode.kind, node: this.#config.nodeName })
    await warmThreadPool()
    const stateReady = this.#readiness.task('state manager')
    await this.#startServers()
    this.#stack.use(this.policies.subscribe(() => this.#reevaluate()))
    this.#stack.use(this.store.subscribe(({ workloads }) => this.#reevaluate(new Set(workloads))))
    if (mode.kind === 'shared') {
      this.#stack.use(followIdentities(this.store, this.secrets, { nodeName: this.#config.nodeName, keep: [] }))
    }
    const { xds } = this.#config
    if (xds !== undefined) {
      this.#xds = new DeltaClient(
        { clock: this.#clock, logger: this.logger, metrics: this.#metrics },
        {
          ...xds,
          clusterId: this.#config.clusterId,
          node: nodeMessage(this.#config),
          types: subscriptions(this.store, this.policies, this.#config.xdsOnDemand),
        },
      )
      this.#xds.start()
    }
    void this.#run(stateReady).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return
      this.logger.error('cannot go on', { error: messageOf(error) })
      this.#failure.reject(error)
    })
  }

  /** What waits for the control plane: pods are proxied only once it is known what they may reach. */
  async #run(stateReady: (done: boolean) => void): Promise<void> {
    await this.#xds?.synced
    if (this.#stop.signal.aborted) return
    stateReady(true)
    this.logger.info('state is complete', { from: this.#xds === undefined ? 'local file' : 'control plane' })
    const { mode, proxyEnabled } = this.#config
    if (mode.kind === 'dedicated') await this.#startDedicated(mode.workload)
    else if (proxyEnabled) await this.#runShared()
  }

  async #startDedicated(workload: WorkloadInfo): Promise<void> {
    this.pods.beginSnapshot()
    const home: PodNetns = { id: 'own', [Symbol.dispose]: () => undefined }
    const failure = await this.pods.add(`${workload.namespace}/${workload.name}`, workload, home)
    if (failure !== undefined) throw new Error(`cannot start the proxy: ${failure}`)
    await this.pods.snapshotSent()
  }

  async #runShared(): Promise<void> {
    await this.#checkPrivileges()
    const zds = new ZdsClient({
      connect: (signal) => SeqpacketConnection.connect(this.#config.zdsSocket, signal),
      pods: this.pods,
      clock: this.#clock,
      logger: this.logger,
    })
    await zds.run(this.#stop.signal)
  }

  /** Found out before any pod depends on it. */
  async #checkPrivileges(): Promise<void> {
    using home = Netns.home()
    try {
      home.run(() => undefined)
      const probe = await netnsSockets(home, { mark: this.#config.packetMark ?? 0 }).bindUdp({
        ip: ip('127.0.0.1'),
        port: 0,
      })
      probe.close()
    } catch (error) {
      throw new Error(
        `ztunnel may not enter network namespaces or mark packets (needs CAP_SYS_ADMIN and CAP_NET_ADMIN): ${messageOf(error)}`,
        {
          cause: error,
        },
      )
    }
  }

  async #startPod(workload: WorkloadInfo, netns: PodNetns): Promise<PodProxy> {
    const config = this.#config
    const clock = this.#clock
    const scoped = this.logger
    const inPod = netns instanceof Netns
    const sockets = this.#sockets(netns)
    const random = this.#overrides.random ?? Math.random
    const connections = new Connections({
      policies: this.policies,
      currentWorkload: (uid) => this.store.workload(uid),
      clock,
      logger: scoped.scope('connections'),
    })
    const local = new LocalWorkload(this.store, workload)
    const originalSource = config.originalSource !== false
    const common = {
      sockets,
      workloads: this.store,
      local,
      connections,
      events: this.events,
      relay: this.#relay,
      policyLog: this.#policyLog,
    }
    const inbound = new Inbound(common, {
      network: config.network,
      originalSource,
      localhostAppTunnel: config.localhostAppTunnel,
      responseBaggage: config.responseBaggage,
    })
    const pool = new HbonePool(
      {
        dial: (to, signal) => sockets.dial({ to, timeoutMs: CONNECT_TIMEOUT_MS, signal }),
        certificate: (identity, signal) => this.secrets.get(identity, signal),
        clock,
        logger: scoped,
      },
      { maxStreamsPerConnection: config.pool.maxStreamsPerConnection, idleReleaseMs: config.pool.unusedReleaseMs },
    )
    const hbone = new HboneServer({
      certificate: async () => await this.secrets.get((await local.get()).identity),
      onRequest: (request) => inbound.serve(request),
      onTlsError: (error, remote) => this.#onTlsError(error, remote),
      clock,
      logger: scoped,
    })
    const demand = this.#config.xdsOnDemand ? this.#demand : undefined
    return await PodProxy.start(
      {
        sockets,
        connections,
        outbound: new Outbound({ ...common, pool, random, demand }, { network: config.network }),
        inboundPlaintext: new InboundPlaintext(common, { network: config.network, originalSource }),
        hbone,
        pool,
        startDns: config.dns.enabled ? () => this.#startDns(sockets, local, netns) : undefined,
        clock,
      },
      {
        ports: config.ports,
        listenIp: config.listenIp,
        reusePort: config.portReuse,
        transparent: inPod && originalSource,
      },
    )
  }

  async #startDns(sockets: SocketFactory, local: LocalWorkload, netns: PodNetns): Promise<DnsServer> {
    const config = this.#config
    const nameservers =
      this.#overrides.nameservers ?? this.#resolvConf.nameservers.map((server) => ({ ip: server, port: DNS_PORT }))
    const { store } = this
    return await DnsServer.start(
      {
        sockets,
        directory: {
          servicesByHostname: (hostname) => store.servicesByHostname(hostname),
          endpointWorkloads: (service) =>
            store.usableEndpoints(service).flatMap(({ workloadUid }) => store.workload(workloadUid) ?? []),
        },
        forwarder: new DnsForwarder({ sockets, clock: this.#clock }, { nameservers }),
        client: () => local.find(this.#stop.signal),
        metrics: this.#dnsMetrics,
        clock: this.#clock,
        logger: this.logger.scope('dns'),
      },
      {
        port: config.dns.address?.port ?? config.ports.dns,
        addresses: config.dns.address === undefined ? this.#dnsAddresses(netns) : [config.dns.address.ip],
        network: config.network,
        clusterDomain: config.clusterDomain,
        preferredNamespace: config.preferredServiceNamespace,
        ipv6Enabled: config.ipv6Enabled,
        searchDomains: config.mode.kind === 'dedicated' ? this.#resolvConf.search : undefined,
        random: this.#overrides.random ?? Math.random,
      },
    )
  }

  /** Whether loopback has IPv6 differs between the pods of one node. */
  #dnsAddresses(netns: PodNetns): readonly Ip[] {
    if (this.#overrides.dnsAddresses !== undefined) return this.#overrides.dnsAddresses
    const loopback = ip('::1')
    const hasIpv6 =
      this.#config.ipv6Enabled &&
      netns instanceof Netns &&
      interfaceAddresses(netns).some((address) => address.ip === loopback)
    return hasIpv6 ? [ip('127.0.0.1'), loopback] : [ip('127.0.0.1')]
  }

  #sockets(netns: PodNetns): SocketFactory {
    const { packetMark: mark } = this.#config
    const options = {
      mark,
      onSourceRefused: (error: unknown, dial: DialOptions): void =>
        this.logger.warn('could not take the address of the client; the application sees the pod as source', {
          to: formatSocketAddress(dial.to),
          error: messageOf(error),
        }),
    }
    if (netns instanceof Netns) return netnsSockets(netns, options)
    if (this.#overrides.sockets !== undefined) return this.#overrides.sockets
    return mark === undefined ? hostSockets() : markedSockets({ ...options, mark })
  }

  readonly #demand = async (target: SocketAddress, signal: AbortSignal): Promise<void> => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(DEMAND_TIMEOUT_MS)])
    const name = `${this.#config.network}/${target.ip}`
    await this.#xds?.demand(TYPE_URLS.address, name, limit).catch((error: unknown) => {
      signal.throwIfAborted()
      throw new ConnectionFailure('no-route', `the control plane did not answer what is at ${name}`, { cause: error })
    })
  }

  #onTlsError(error: Error, remote: SocketAddress | undefined): void {
    this.logger.scope('access').warn('connection failed', {
      'src.addr': remote && formatSocketAddress(remote),
      direction: 'inbound',
      error: `tls error: ${error.message}`,
    })
  }

  #reevaluate(changed?: ReadonlySet<string>): void {
    for (const proxy of this.pods.proxies()) proxy.connections.reevaluate(changed)
  }

  #caClient(): CaClient {
    const { ca, clusterId, mode } = this.#config
    if (ca === undefined) {
      const reason = 'no CA is configured (CA_ADDRESS is empty)'
      return { createCertificate: () => Promise.reject(new CaUnavailableError(reason)) }
    }
    return this.#stack.use(
      new GrpcCaClient({ logger: this.logger }, { ...ca, clusterId, impersonate: mode.kind === 'shared' }),
    )
  }

  #loadLocalXds(): unknown {
    const { localXds } = this.#config
    if (localXds === undefined) return undefined
    if ('file' in localXds && statSync(localXds.file).size > MAX_LOCAL_XDS_BYTES) {
      throw new LocalXdsError(`${localXds.file} is larger than ${MAX_LOCAL_XDS_BYTES} bytes`)
    }
    const text = 'file' in localXds ? readFileSync(localXds.file, 'utf8') : localXds.text
    const parsed = parseLocalXds(text)
    this.store.put(parsed)
    this.policies.put(parsed.policies)
    return {
      workloads: parsed.workloads.map(dumpWorkload),
      services: parsed.services.map((service) => dumpService(service, [])),
      policies: parsed.policies.map(dumpPolicy),
    }
  }

  async #startServers(): Promise<void> {
    const config = this.#config
    const { adminIp } = this.#overrides
    const at = (fallback: Ip, port: number): SocketAddress => ({
      ip: adminIp ?? fallback,
      port: adminIp === undefined ? port : 0,
    })
    const metrics = this.#metrics
    this.#stack.use(registerProcessMetrics(metrics))
    metrics
      .gauge({ name: 'istio_build', help: 'Istio component build info', labelNames: ['component', 'tag'] })
      .set({ component: 'ztunnel', tag: config.version === 'unknown' ? VERSION : config.version }, 1)
    const logger = this.logger.scope('admin')
    const admin = new AdminServer({
      logger,
      routes: adminRoutes({
        logControl: this.logger.filter,
        configDump: () => this.#dump(),
        shutdown: () => this.#quit.resolve(),
      }),
    })
    const stats = new AdminServer({ logger, routes: statsRoutes(metrics, () => this.events.flush()) })
    const readiness = new AdminServer({ logger, routes: [readinessRoute(this.#readiness)] })
    for (const server of [readiness, stats, admin]) this.#stack.use(server)
    this.#bound = {
      readiness: await listenAnywhere(readiness, at(config.listenIp, config.readinessPort)),
      stats: await listenAnywhere(stats, at(config.listenIp, config.statsPort)),
      admin: await admin.listen(at(ip('127.0.0.1'), config.adminPort)),
    }
    if (adminIp === undefined && config.ipv6Enabled) {
      // Nodes without IPv6 have no ::1, which is no reason not to start.
      await admin
        .listen({ ip: ip('::1'), port: config.adminPort })
        .catch((error: unknown) => logger.debug(messageOf(error)))
    }
  }

  #dump(): object {
    return configDump({
      store: this.store,
      policies: this.policies,
      certificates: () => this.secrets.states(),
      workloadState: () => this.pods.dump(),
      config: this.#config,
      staticConfig: this.#localXds,
      version: VERSION,
    })
  }
}

/** `::` where the node has IPv6, otherwise every IPv4 address. */
async function listenAnywhere(server: AdminServer, address: SocketAddress): Promise<SocketAddress> {
  try {
    return await server.listen(address)
  } catch (error) {
    if (address.ip !== '::') throw error
    return await server.listen({ ...address, ip: ip('0.0.0.0') })
  }
}

function readResolvConf(): ResolvConf {
  try {
    return parseResolvConf(readFileSync(RESOLV_CONF, 'utf8'))
  } catch {
    return { nameservers: [], search: [] }
  }
}
