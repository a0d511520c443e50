import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  abortable,
  type Clock,
  type Closable,
  type Gauge,
  type Ip,
  ip,
  type Logger,
  type Metrics,
  messageOf,
} from '@ambit/core'
import { KINDS, KubeClient, type KubeConfig } from '@ambit/kube'
import { warmThreadPool } from '@ambit/linux'
import { AdminServer, metricsRoutes, type PrometheusMetrics } from '@ambit/telemetry'
import { Cluster } from './cluster.ts'
import { addNewPod, decideOnNewPod } from './cni-add.ts'
import { checkPodRules } from './cni-check.ts'
import { PLUGIN_TYPE } from './conflist.ts'
import { Enroller } from './enroller.ts'
import type { Config } from './env.ts'
import { AGENT_SOCKET, PLUGIN_KUBECONFIG } from './file-names.ts'
import { internalIps, openHostNetns } from './host-netns.ts'
import { CniInstaller, type InstallerOptions } from './installer.ts'
import { inPlaceCommand, launcherScript, pluginBeside, runtimeCommand } from './launcher.ts'
import { SWEEP_INTERVAL_MS } from './limits.ts'
import { NetnsFinder } from './netns-finder.ts'
import { formatKubeconfig } from './plugin-kubeconfig.ts'
import { pluginRuntime } from './plugin-runtime.ts'
import { PluginServer } from './plugin-server.ts'
import { PodNetnsCache } from './pod-netns-cache.ts'
import { ProbeRules } from './probes.ts'
import { Reconciler } from './reconciler.ts'
import { isUninstall } from './uninstall-decision.ts'
import { WorkQueue } from './work-queue.ts'
import { ZdsServer } from './zds-server.ts'

export interface AppComponents {
  readonly config: Config
  readonly kubeConfig: KubeConfig
  readonly logger: Logger
  readonly metrics: PrometheusMetrics
  readonly clock: Clock
}

/** The running agent; the order of construction is the order in which the node becomes safe for new pods. */
export class App implements Closable {
  readonly #components: AppComponents
  readonly #stack = new AsyncDisposableStack()
  readonly #client: KubeClient
  #installer: CniInstaller | undefined
  /** Gives every pod, and the node itself, its own network back. */
  #release: (() => Promise<void>) | undefined
  #zds: ZdsServer | undefined
  readonly #stopping = new AbortController()
  #starting: Promise<void> | undefined
  #ready = false

  constructor(components: AppComponents) {
    this.#components = components
    this.#client = this.#stack.use(new KubeClient(components.kubeConfig))
  }

  /** Rejects when it is closed before it is ready. */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    const { config, logger, metrics, clock } = this.#components
    await warmThreadPool()
    const { signal } = this.#stopping
    await this.#serveHealth()

    const nodeIps = config.hostNetns === undefined ? [] : await this.#nodeIps()
    const { hostNetns: path, netnsDir } = config
    const host = this.#stack.use(openHostNetns({ path, netnsDir, nodeIps }, logger.scope('netns')))
    const cache = this.#stack.use(new PodNetnsCache())
    const probes = new ProbeRules(host, config)
    const finder = new NetnsFinder(logger.scope('netns'), {
      procDir: config.procDir,
      netnsDir: config.netnsDir,
      hostNetns: host,
    })
    const cluster = new Cluster({
      client: this.#client,
      nodeName: config.nodeName,
      logger: logger.scope('kube'),
      signal,
    })

    // ztunnel may connect at once; it hears nothing before the snapshot is complete.
    const snapshot = Promise.withResolvers<void>()
    const retry = { now: (): void => undefined }
    const zds = this.#stack.use(
      await ZdsServer.listen(
        { cache, clock, logger: logger.scope('zds'), connected: ztunnelConnected(metrics) },
        { path: config.ztunnelSocket, snapshotReady: snapshot.promise, onConnected: () => retry.now() },
      ),
    )
    this.#zds = zds
    const enroller = new Enroller({ api: cluster, cache, zds, probes, logger: logger.scope('enroll') }, config)
    const reconciler = new Reconciler(
      {
        view: cluster,
        cache,
        enroller,
        finder,
        clock,
        logger: logger.scope('enroll'),
        events: reconcileEvents(metrics),
      },
      config,
    )

    await cluster.synced()
    await reconciler.adoptEnrolled(config.reconcileRulesOnStart)
    await probes.write()
    signal.throwIfAborted()
    snapshot.resolve()

    const queue = this.#stack.use(
      new WorkQueue({ clock, logger: logger.scope('enroll') }, (uid) => reconciler.reconcile(uid)),
    )
    retry.now = () => queue.retryNow()
    this.#followCluster(cluster, reconciler, queue)
    this.#sweep(cache, queue, probes)

    this.#release = async () => {
      await reconciler.releaseAll()
      await probes.clear()
    }
    const view = { view: cluster, api: cluster, reconciler, finder, clock }
    this.#stack.use(
      await PluginServer.listen(
        {
          logger: logger.scope('plugin'),
          requests: pluginRequests(metrics),
          onAdd: (event) => addNewPod(event, view, config),
          onDecide: (event) => decideOnNewPod(event, view, config),
          onCheck: (event) => checkPodRules(event, { view: cluster, cache }),
        },
        join(config.runDir, AGENT_SOCKET),
      ),
    )
    signal.throwIfAborted()
    await abortable(this.#install(), signal)
    this.#ready = true
    logger.info('node agent ready', { node: config.nodeName, pods: cache.values().length })
  }

  /**
   * Stops; on a real uninstallation also takes the plugin off the node. Pods leave the mesh only when no ztunnel is left to
   * serve them: while one is, they stay captured (Istio), so that removing the agent alone opens nothing.
   */
  async close(): Promise<void> {
    const { config, logger } = this.#components
    this.#ready = false
    this.#stopping.abort(new Error('the node agent is stopping'))
    // A start under way would go on putting into place what is taken down here.
    await this.#starting?.catch(() => undefined)
    const gone = await isUninstall(this.#client, { namespace: config.podNamespace, nodeName: config.nodeName, logger })
    if (gone) {
      const served = (this.#zds?.connections ?? 0) > 0
      logger.info('the DaemonSet is gone, removing the CNI plugin from the node', { 'pods.stay.captured': served })
      // First the plugin: otherwise pods that start now would be captured after the others were let go.
      await this.#installer?.uninstall().catch((error: unknown) => {
        logger.error('the CNI plugin was not removed from the node', { error: messageOf(error) })
      })
      if (!served) {
        await this.#release?.().catch((error: unknown) => {
          logger.error('redirection was not removed from the whole node', { error: messageOf(error) })
        })
      }
    }
    await this.#stack.disposeAsync()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Without them the usual place has to do. */
  async #nodeIps(): Promise<readonly Ip[]> {
    try {
      return internalIps(
        await this.#client.get(KINDS.node, { name: this.#components.config.nodeName }, this.#stopping.signal),
      )
    } catch (error) {
      this.#components.logger.warn('addresses of this node are unknown', { error: messageOf(error) })
      return []
    }
  }

  #followCluster(cluster: Cluster, reconciler: Reconciler, queue: WorkQueue): void {
    cluster.follow({
      podChanged: (pod) => queue.add(pod.uid),
      podGone: (uid) => {
        reconciler.markGone(uid)
        queue.add(uid)
      },
      namespaceChanged: ({ name }) => {
        for (const pod of cluster.pods()) if (pod.namespace === name) queue.add(pod.uid)
      },
    })
  }

  /** Finds pods that were deleted before their first sight, and repairs the node's rules. */
  #sweep(cache: PodNetnsCache, queue: WorkQueue, probes: ProbeRules): void {
    let timer: Disposable | undefined
    const tick = (): void => {
      for (const { pod } of cache.values()) queue.add(pod.uid)
      probes.rewrite().catch((error: unknown) => {
        this.#components.logger.warn('probe rules of the node could not be written', { error: messageOf(error) })
      })
      timer = this.#components.clock.after(SWEEP_INTERVAL_MS, tick)
    }
    timer = this.#components.clock.after(SWEEP_INTERVAL_MS, tick)
    this.#stack.defer(() => timer?.[Symbol.dispose]())
  }

  async #install(): Promise<void> {
    const { config, logger, metrics, clock, kubeConfig } = this.#components
    this.#installer = this.#stack.use(
      new CniInstaller(
        {
          clock,
          logger: logger.scope('install'),
          ready: metrics.gauge({ name: 'istio_cni_install_ready', help: 'Whether the CNI plugin is in place.' }),
          installs: metrics.counter({
            name: 'istio_cni_installs',
            help: 'Installations of the CNI plugin.',
            labelNames: ['result'],
          }),
        },
        {
          binDir: config.binDir,
          configDir: config.configDir,
          runDir: config.runDir,
          configName: config.configName,
          ownedConfigName: config.ownedConfigName,
          ...(await pluginProgram(config)),
          plugin: pluginConfig(config),
          kubeconfigName: PLUGIN_KUBECONFIG,
          kubeconfig: () => pluginKubeconfig(kubeConfig, config.serviceAccountDir),
        },
      ),
    )
    await this.#installer.start()
  }

  async #serveHealth(): Promise<void> {
    const { config, logger, metrics } = this.#components
    const health = new AdminServer({
      logger,
      routes: [
        { method: 'GET', path: '/healthz', handle: () => ({ body: 'ok\n' }) },
        { method: 'GET', path: '/readyz', handle: () => this.#readiness() },
      ],
    })
    await this.#stack.use(health).listen({ ip: ip('::'), port: config.healthPort })
    const monitoring = new AdminServer({ logger, routes: metricsRoutes(metrics) })
    await this.#stack.use(monitoring).listen({ ip: ip('::'), port: config.monitoringPort })
  }

  #readiness(): { status: number; body: string } {
    const ready = this.#ready && this.#installer?.installed === true
    return ready ? { status: 200, body: 'ok\n' } : { status: 503, body: 'CNI plugin not installed yet\n' }
  }
}

/** How the node is to run the plugin. */
async function pluginProgram({
  pluginCommand,
  copyRuntime,
  compileCacheOnNode,
}: Config): Promise<Pick<InstallerOptions, 'launcher' | 'runtime'>> {
  const plugin = pluginBeside(import.meta.url)
  const runtime = copyRuntime ? await pluginRuntime(plugin) : undefined
  const usual = runtime === undefined ? inPlaceCommand(process.execPath, plugin) : runtimeCommand(runtime)
  return { launcher: launcherScript({ command: pluginCommand ?? usual, compileCache: compileCacheOnNode }), runtime }
}

/** Our entry of the node's CNI chain. */
function pluginConfig(config: Config): Readonly<Record<string, unknown>> {
  return {
    type: PLUGIN_TYPE,
    name: PLUGIN_TYPE,
    plugin_log_level: config.logLevel,
    cni_agent_run_dir: config.runDirOnNode,
    ambient_enabled: config.ambientEnabled,
    ...(config.selectorSource === undefined ? {} : { enablement_selectors: config.selectorSource }),
    exclude_namespaces: config.excludeNamespaces,
    pod_namespace: config.podNamespace,
    native_nftables: true,
    enable_ambient_detection_retry: config.detectionRetry,
  }
}

/** Read anew every time: the service account's token is replaced about hourly. */
async function pluginKubeconfig(kubeConfig: KubeConfig, serviceAccountDir: string): Promise<string> {
  const cluster = kubeConfig.getCurrentCluster()
  const caPem =
    cluster?.caData === undefined
      ? cluster?.caFile === undefined
        ? undefined
        : await readFile(cluster.caFile, 'utf8')
      : Buffer.from(cluster.caData, 'base64').toString('utf8')
  const mounted = await readFile(join(serviceAccountDir, 'token'), 'utf8').catch(() => undefined)
  const token = (mounted ?? kubeConfig.getCurrentUser()?.token ?? '').trim()
  return formatKubeconfig({ server: cluster?.server ?? '', caPem, token })
}

function ztunnelConnected(metrics: Metrics): Gauge {
  return metrics.gauge({ name: 'ztunnel_connected', help: 'Number of ztunnels connected to this agent.' })
}

function reconcileEvents(metrics: Metrics): ReturnType<Metrics['counter']> {
  return metrics.counter({
    name: 'nodeagent_reconcile_events',
    help: 'Pods brought in or out, by what was done.',
    labelNames: ['type'],
  })
}

function pluginRequests(metrics: Metrics): ReturnType<Metrics['counter']> {
  return metrics.counter({
    name: 'istio_cni_plugin_requests',
    help: 'Requests of the CNI plugin, by answer.',
    labelNames: ['response_code'],
  })
}
