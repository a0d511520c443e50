import { writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { ip, systemClock } from '@ambit/core'
import { type Flow, FlowJournal, flowsResponse, type LiveFlow } from '@ambit/flow'
import { ProcessRuntime, silent } from '../../../sandbox/test/apiserver/harness.ts'
import { AdminServer } from '../../../telemetry/src/index.ts'
import { startTestMesh, type TestMesh } from './test-mesh.ts'

const PODS = { group: '', version: 'v1', resource: 'pods' }
const AT = '2026-11-21T18:00:00.000Z'

/** Forwards each pod to a port of this machine. */
class ForwardingRuntime extends ProcessRuntime {
  readonly ports = new Map<string, number>()
  readonly sockets = new Map<string, Set<Socket>>()

  override async portForward(o: Parameters<ProcessRuntime['portForward']>[0]) {
    const port = this.ports.get(o.pod)
    if (port === undefined) throw new Error(`nobody listens in ${o.pod}`)
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const sockets = this.sockets.get(o.pod) ?? new Set()
    this.sockets.set(o.pod, sockets.add(socket))
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return socket
  }
}

/** A proxy that tells what a test says happens to it. */
export interface TestProxy {
  readonly journal: FlowJournal
  open(flow: Flow): { bytes(fromClient: number): void; end(state?: Flow['state']): void }
  /** Breaks the connections of who follows. */
  breakOff(): void
}

/** A real API server, and pods whose administration ports are real. */
export class FlowCluster implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack()
  readonly #runtime = new ForwardingRuntime()
  #mesh: TestMesh | undefined

  static async start(): Promise<FlowCluster> {
    const cluster = new FlowCluster()
    cluster.#mesh = cluster.#stack.use(await startTestMesh({ gatewayApi: false, runtime: cluster.#runtime }))
    await cluster.mesh.must('create', 'ns', 'istio-system')
    await cluster.mesh.must('create', 'ns', 'shop')
    return cluster
  }

  get mesh(): TestMesh {
    if (this.#mesh === undefined) throw new TypeError('not started')
    return this.#mesh
  }

  async ztunnel(name: string): Promise<TestProxy> {
    return await this.#proxy('istio-system', name, { app: 'ztunnel' }, ['proxy', 'ztunnel'])
  }

  async waypoint(name: string): Promise<TestProxy> {
    return await this.#proxy('shop', name, { 'gateway.networking.k8s.io/gateway-name': 'waypoint' }, [
      'proxy',
      'waypoint',
    ])
  }

  /** A running pod that nobody made a proxy. */
  async pod(namespace: string, name: string, labels: Record<string, string>, args: readonly string[], port?: number) {
    if (port !== undefined) this.#runtime.ports.set(name, port)
    const { client } = this.mesh.api.api
    const containers = [{ name: 'main', image: 'i', args: [...args] }]
    await client.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name, labels },
      spec: { nodeName: 'n1', containers },
    })
    const state = { name: 'main', image: 'i', imageID: '', ready: true, restartCount: 0, state: { running: {} } }
    const status = { phase: 'Running', podIP: '127.0.0.1', containerStatuses: [state] }
    await client.patch(PODS, namespace, name, { status }, { subresource: 'status' })
  }

  /** A port that answers everything with this status. */
  async answering(status: number): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(`HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n`))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.#stack.defer(() => void server.close())
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Kubeconfig of a service account of namespace default. */
  async kubeconfigOf(account: string): Promise<string> {
    const { mesh } = this
    await mesh.must('create', 'serviceaccount', account)
    const token = (await mesh.must('create', 'token', account)).trim()
    const { HOME = '' } = await mesh.api.environment()
    const ca = Buffer.from(mesh.api.caPem).toString('base64')
    const path = join(HOME, `config-${account}`)
    writeFileSync(
      path,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        clusters: [{ name: 'test', cluster: { server: mesh.api.url, 'certificate-authority-data': ca } }],
        users: [{ name: 'test', user: { token } }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      }),
    )
    return path
  }

  async #proxy(
    namespace: string,
    name: string,
    labels: Record<string, string>,
    args: readonly string[],
  ): Promise<TestProxy> {
    const live = new Set<LiveFlow>()
    const journal = new FlowJournal({ live: () => live, clock: systemClock })
    const admin = this.#stack.use(
      new AdminServer({
        logger: silent,
        routes: [
          {
            method: 'GET',
            path: '/flows',
            handle: ({ query, signal }) => flowsResponse(journal, { query, signal, nowMs: Date.parse(AT) }),
          },
        ],
      }),
    )
    const { port } = await admin.listen({ ip: ip('127.0.0.1'), port: 0 })
    await this.pod(namespace, name, labels, args, port)
    return {
      journal,
      open: (flow) => {
        let now: Flow | undefined = flow
        const opened: LiveFlow & { progress: number } = { progress: 0, tell: () => now }
        live.add(opened)
        journal.opened(opened)
        return {
          bytes: (bytesFromClient) => {
            now = now && { ...now, bytesFromClient }
            opened.progress++
          },
          end: (state = 'closed') => {
            const last = { ...(now ?? flow), state }
            now = undefined
            live.delete(opened)
            journal.ended(last)
          },
        }
      },
      breakOff: () => {
        for (const socket of this.#runtime.sockets.get(name) ?? []) socket.destroy()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
