import { readFileSync } from 'node:fs'
import { TYPE_URLS } from '@ambit/api'
import {
  type Clock,
  type Closable,
  type Ip,
  ip,
  messageOf,
  type SocketAddress,
  type SocketFactory,
  type SpiffeId,
  systemClock,
} from '@ambit/core'
import { type CaClient, CaUnavailableError, GrpcCaClient, SecretManager } from '@ambit/identity'
import { type DescriptorFactory, Netns, netnsSockets, SeqpacketConnection, warmThreadPool } from '@ambit/linux'
import { PolicyStore, WorkloadStore } from '@ambit/state'
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
import { type BoundPorts, listenForAdmins } from './admin-servers.ts'
import { PodAssembly } from './assemble-pod.ts'
import type { Config, WorkloadInfo } from './config.types.ts'
import { configDump } from './config-dump.ts'
import type { DataPath } from './data-path/data-path.types.ts'
import { startDataPath } from './data-path/start-data-path.ts'
import { parseResolvConf, type ResolvConf } from './dns/resolv-conf.ts'
import { dnsMetrics } from './dns/server.ts'
import { ConnectionEvents } from './events.ts'
import { ConnectionFailure } from './failures.ts'
import { DEMAND_TIMEOUT_MS } from './limits.ts'
import type { LocalXds } from './local-xds.ts'
import { dumpLocalXds, readLocalXds } from './local-xds-file.ts'
import { nodeMessage } from './node-message.ts'
import { type PodNetns, PodProxies } from './pod-proxies.ts'
import { PolicyLog } from './policy-log.ts'
import { followIdentities } from './prefetch.ts'
import { subscriptions } from './xds-state.ts'
import { ZdsClient } from './zds-client.ts'

/** Parts that a test, or another host program, brings itself. */
export interface AppOverrides {
  readonly clock?: Clock
  readonly ca?: CaClient
  /** Sockets of the dedicated pod. */
  readonly sockets?: SocketFactory
  readonly descriptors?: DescriptorFactory
  /** Where the DNS proxy of the dedicated pod listens. */
  readonly dnsAddresses?: readonly Ip[]
  /** Name servers queries are forwarded to. */
  readonly nameservers?: readonly SocketAddress[]
  readonly logger?: LeveledLogger
  readonly random?: () => number
  /** Address the administration ports listen on; any port becomes 0 where this is given. */
  readonly adminIp?: Ip
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
  readonly #assembly: PodAssembly
  #dataPath: DataPath | undefined
  readonly #localXds: LocalXds | undefined
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
    this.events = new ConnectionEvents(components, {
      reporter: { kind: 'ztunnel', pod: `${config.podNamespace}/${config.podName}`, node: config.nodeName },
    })
    this.#localXds = readLocalXds(config)
    if (this.#localXds !== undefined) {
      this.store.put(this.#localXds)
      this.policies.put(this.#localXds.policies)
    }
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
      start: (_uid, workload, netns) => this.#assembly.start(workload, netns),
      onReady: (ready) => {
        proxiesReady(ready)
        if (ready) this.#proxying.resolve()
      },
    })
    this.#assembly = new PodAssembly(
      {
        store: this.store,
        policies: this.policies,
        secrets: this.secrets,
        events: this.events,
        policyLog: new PolicyLog(this.logger, { info: config.authorizationInfoLogging }),
        dataPath: () => this.dataPath,
        dnsMetrics: dnsMetrics(this.#metrics),
        demand: config.xdsOnDemand ? this.#demand : undefined,
        clock: this.#clock,
        logger: this.logger,
        random: overrides.random ?? Math.random,
        signal: this.#stop.signal,
      },
      {
        config,
        resolvConf: readResolvConf(),
        sockets: overrides.sockets,
        descriptors: overrides.descriptors,
        dnsAddresses: overrides.dnsAddresses,
        nameservers: overrides.nameservers,
      },
    )
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

  get dataPath(): DataPath {
    if (this.#dataPath === undefined) throw new TypeError('not started')
    return this.#dataPath
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
    const dataPath = this.#startDataPath()
    const stateReady = this.#readiness.task('state manager')
    await this.#startServers()
    this.#stack.use(this.#followPolicies())
    this.#stack.use(this.#followWorkloads())
    if (mode.kind === 'shared') {
      const demand = {
        prefetch: (identity: SpiffeId) => this.secrets.prefetch(identity),
        forget: (identity: SpiffeId) => {
          this.secrets.forget(identity)
          this.#dataPath?.forget(identity)
        },
      }
      this.#stack.use(followIdentities(this.store, demand, { nodeName: this.#config.nodeName, keep: [] }))
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
    this.#dataPath = await dataPath
    void this.#run(stateReady).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return
      this.logger.error('cannot go on', { error: messageOf(error) })
      this.#failure.reject(error)
    })
  }

  /** Its workers start beside everything else: nothing needs them before the first pod. */
  #startDataPath(): Promise<DataPath> {
    const starting = startDataPath(
      {
        clock: this.#clock,
        logger: this.logger,
        metrics: this.#metrics,
        onLost: (error) => this.#failure.reject(error),
      },
      this.#config,
    )
    starting.catch(() => undefined)
    this.#stack.defer(async () => {
      const path = await starting.catch(() => undefined)
      await path?.[Symbol.asyncDispose]()
    })
    return starting
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

  readonly #demand = async (target: SocketAddress, signal: AbortSignal): Promise<void> => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(DEMAND_TIMEOUT_MS)])
    const name = `${this.#config.network}/${target.ip}`
    await this.#xds?.demand(TYPE_URLS.address, name, limit).catch((error: unknown) => {
      signal.throwIfAborted()
      throw new ConnectionFailure('no-route', `the control plane did not answer what is at ${name}`, { cause: error })
    })
  }

  #followPolicies(): Disposable {
    return this.policies.subscribe((change) => {
      for (const { connections } of this.pods.proxies()) connections.reevaluate(change)
    })
  }

  #followWorkloads(): Disposable {
    return this.store.subscribe(({ workloads }) => {
      for (const { connections } of this.pods.proxies()) connections.reevaluateTo(workloads)
    })
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

  async #startServers(): Promise<void> {
    const { version } = this.#config
    const metrics = this.#metrics
    this.#stack.use(registerProcessMetrics(metrics))
    metrics
      .gauge({ name: 'istio_build', help: 'Istio component build info', labelNames: ['component', 'tag'] })
      .set({ component: 'ztunnel', tag: version === 'unknown' ? VERSION : version }, 1)
    metrics.gaugeFunction(
      { name: 'ambit_flow_followers', help: 'Clients that follow the flows' },
      () => this.events.flows.followers,
    )
    const logger = this.logger.scope('admin')
    const control = adminRoutes({
      logControl: this.logger.filter,
      configDump: () => this.#dump(),
      flows: this.events.flows,
      now: () => this.#clock.now(),
      shutdown: () => this.#quit.resolve(),
    })
    const servers = {
      readiness: this.#stack.use(new AdminServer({ logger, routes: [readinessRoute(this.#readiness)] })),
      stats: this.#stack.use(new AdminServer({ logger, routes: statsRoutes(metrics, () => this.events.flush()) })),
      admin: this.#stack.use(new AdminServer({ logger, routes: control })),
    }
    const options = { config: this.#config, adminIp: this.#overrides.adminIp }
    this.#bound = await listenForAdmins(servers, options, logger)
  }

  #dump(): object {
    return configDump({
      store: this.store,
      policies: this.policies,
      certificates: () => this.secrets.states(),
      workloadState: () => this.pods.dump(),
      config: this.#config,
      dataPath: this.#dataPath?.name ?? 'starting',
      staticConfig: this.#localXds && dumpLocalXds(this.#localXds),
      version: VERSION,
    })
  }
}

function readResolvConf(): ResolvConf {
  try {
    return parseResolvConf(readFileSync(RESOLV_CONF, 'utf8'))
  } catch {
    return { nameservers: [], search: [] }
  }
}
