// A control plane that is stopped while the API server says nothing lets proxies go first.
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { KubeConfig } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import { startController } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { SHUTDOWN_MS } from '../src/limits.ts'
import { startTestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'

/** Between a client and the API server; `silence` makes everything hang, as a network that drops packets does. */
class Wire implements AsyncDisposable {
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((client) => {
    this.#sockets.add(client)
    client.on('error', () => undefined)
    if (this.#isSilent) return
    const upstream = connect(this.#port, '127.0.0.1')
    this.#sockets.add(upstream)
    upstream.on('error', () => undefined)
    client.pipe(upstream).pipe(client)
  })
  readonly #port: number
  #isSilent = false

  constructor(port: number) {
    this.#port = port
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  silence(): void {
    this.#isSilent = true
    for (const socket of this.#sockets) socket.unpipe().pause()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

test('proxies are told to go, and the end comes, while the leases can not be released', async (t) => {
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  await cluster.applyManifest('manifests/00-namespace.yaml')
  await cluster.applyManifest('manifests/10-base.yaml')
  await cluster.applyManifest('manifests/20-istiod.yaml')
  const token = await cluster.apiToken({ namespace: 'istio-system', serviceAccount: 'istiod' })
  const direct = cluster.configFor(token).getCurrentCluster()
  await using wire = new Wire(Number(new URL(direct?.server ?? '').port))
  const server = `https://127.0.0.1:${await wire.listen()}`
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromOptions({
    clusters: [{ name: 'test', server, caData: direct?.caData ?? '', skipTLSVerify: false }],
    users: [{ name: 'test', token }],
    contexts: [{ name: 'test', cluster: 'test', user: 'test' }],
    currentContext: 'test',
  })
  const config = readConfig({
    variables: { POD_NAME: 'istiod-1' },
    args: ['discovery', '--monitoringAddr=:0', '--httpAddr=:0', '--secureGRPCAddr=:0', '--httpsAddr=:0'],
  })
  const controller = await startController(config, {
    logger,
    metrics: new PrometheusMetrics(),
    kubeConfig,
    listenIp: '127.0.0.1',
  })
  await eventually(() =>
    Promise.resolve(logger.records.some((line) => JSON.stringify(line).includes('became leader')) || undefined),
  )
  const session = connectHttp2(`https://localhost:${controller.tlsPort}`, {
    ca: controller.rootsPem,
    checkServerIdentity: () => undefined,
  })
  session.on('error', () => undefined)
  await once(session, 'connect')
  await new Promise<void>((resolve) => session.ping(() => resolve()))
  const goaway = once(session, 'goaway')
  wire.silence()
  const startedMs = performance.now()
  const closed = controller.close()
  await goaway
  t.true(performance.now() - startedMs < SHUTDOWN_MS, 'told before the wait for leases is over')
  await closed
  // A request to the API server alone may take 30 s.
  t.true(performance.now() - startedMs < 3 * SHUTDOWN_MS)
})
