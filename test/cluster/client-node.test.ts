// @kubernetes/client-node against the sandbox: what a controller written with it relies on when watches expire, the network fails and
// the server has forgotten where it was.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, type AgentOptions, request } from 'node:https'
import { PassThrough, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { silentLogger, systemClock } from '@ambit/core'
import { KubeClient, LeaderElection } from '@ambit/kube'
import { CoreV1Api, Exec, KubeConfig, makeInformer, type V1ConfigMap, type V1Status } from '@kubernetes/client-node'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { openRelay, type Relay } from '../support/relay.ts'

let cluster: Cluster
let direct: KubeConfig

test.serial.before(async () => {
  cluster = await startCluster({ name: 'clients', nodes: 1, mesh: false })
  direct = new KubeConfig()
  direct.loadFromFile(cluster.env['KUBECONFIG'] ?? '')
})

test.serial.after.always(() => cluster[Symbol.asyncDispose]())

/** The same cluster by way of a relay. */
function through(relay: Relay): KubeConfig {
  const config = new KubeConfig()
  const known = direct.getCurrentCluster()
  const user = direct.getCurrentUser()
  if (known === null || user === null) throw new Error('the kubeconfig of the sandbox names no cluster or user')
  config.loadFromClusterAndUser({ ...known, server: `https://127.0.0.1:${relay.port}` }, user)
  return config
}

const apiPort = (): number => Number(new URL(direct.getCurrentCluster()?.server ?? '').port)

/** An informer of ConfigMaps with all it told, restarted on errors as its documentation says. */
class Follower {
  readonly informer: ReturnType<typeof makeInformer<V1ConfigMap>>
  readonly told: string[] = []
  readonly errors: unknown[] = []
  lists = 0
  #stopped = true
  #waiting: { readonly fits: () => boolean; readonly resolve: () => void }[] = []

  constructor(config: KubeConfig, namespace: string, query = '') {
    const api = config.makeApiClient(CoreV1Api)
    const list = async () => {
      this.lists++
      return await api.listNamespacedConfigMap({ namespace })
    }
    this.informer = makeInformer<V1ConfigMap>(config, `/api/v1/namespaces/${namespace}/configmaps${query}`, list)
    const tell = (verb: string) => (object: V1ConfigMap) => {
      this.told.push(`${verb} ${object.metadata?.name}@${object.metadata?.resourceVersion}`)
      this.#look()
    }
    this.informer.on('add', tell('add'))
    this.informer.on('update', tell('update'))
    this.informer.on('delete', tell('delete'))
    this.informer.on('connect', () => this.#look())
    this.informer.on('error', (error: unknown) => {
      if (this.#stopped) return
      this.errors.push(error)
      // At once: a blocked relay refuses in microseconds, and the next turn of the loop is soon enough.
      setImmediate(() => void this.informer.start())
    })
  }

  async start(): Promise<void> {
    this.#stopped = false
    await this.informer.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.informer.stop()
  }

  names(): string[] {
    return this.informer
      .list()
      .map(({ metadata }) => metadata?.name ?? '')
      .filter((name) => name !== 'kube-root-ca.crt')
      .toSorted()
  }

  /** Settles when the informer's cache fits; looked at after each thing it tells. */
  until(fits: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ fits, resolve })
    this.#look()
    return promise
  }

  #look(): void {
    // The callback runs before the cache is changed.
    setImmediate(() => {
      for (const waiter of this.#waiting) if (waiter.fits()) waiter.resolve()
      this.#waiting = this.#waiting.filter((waiter) => !waiter.fits())
    })
  }
}

const configMap = (name: string, data: Record<string, string> = {}): V1ConfigMap => ({ metadata: { name }, data })
const same = (a: readonly string[], b: readonly string[]): boolean => a.join() === b.join()

async function namespace(name: string): Promise<CoreV1Api> {
  const api = direct.makeApiClient(CoreV1Api)
  await api.createNamespace({ body: { metadata: { name } } })
  return api
}

test.serial(
  'an informer whose watches the server ends every second misses nothing and is told nothing twice',
  async (t) => {
    const api = await namespace('expiry')
    const follower = new Follower(direct, 'expiry', '?timeoutSeconds=1')
    await follower.start()
    let connects = 0
    const fourTimes = Promise.withResolvers<void>()
    follower.informer.on('connect', () => {
      connects++
      if (connects === 4) fourTimes.resolve()
    })
    let ended = false
    void fourTimes.promise.then(() => (ended = true))
    let made = 0
    // Changes without a pause, so that some fall between two watches.
    while (!ended) {
      const name = `m-${String(made++).padStart(5, '0')}`
      await api.createNamespacedConfigMap({ namespace: 'expiry', body: configMap(name) })
      await api.patchNamespacedConfigMap({
        namespace: 'expiry',
        name,
        body: [{ op: 'add', path: '/data', value: { seen: 'yes' } }],
      })
      if (made % 2 === 0) await api.deleteNamespacedConfigMap({ namespace: 'expiry', name })
    }
    const expected = (await api.listNamespacedConfigMap({ namespace: 'expiry' })).items
      .map(({ metadata }) => metadata?.name ?? '')
      .filter((name) => name.startsWith('m-'))
    await follower.until(
      () => same(follower.names(), expected) && follower.told.length >= made * 2 + Math.floor(made / 2),
    )
    await follower.stop()
    t.deepEqual(follower.names(), expected)
    t.is(
      follower.told.filter((line) => !line.includes('kube-root-ca.crt')).length,
      made * 2 + Math.floor(made / 2),
      'every change once',
    )
    t.is(new Set(follower.told).size, follower.told.length)
    t.is(follower.lists, 1, 'it listed once and resumed ever after')
    t.deepEqual(follower.errors, [])
  },
)

test.serial('an informer whose connection is lost catches up, with what was deleted meanwhile', async (t) => {
  const api = await namespace('loss')
  await using relay = await openRelay(apiPort())
  const follower = new Follower(through(relay), 'loss')
  for (const name of ['goes', 'stays'])
    await api.createNamespacedConfigMap({ namespace: 'loss', body: configMap(name) })
  await follower.start()
  await follower.until(() => same(follower.names(), ['goes', 'stays']))
  relay.block()
  await api.deleteNamespacedConfigMap({ namespace: 'loss', name: 'goes' })
  await api.createNamespacedConfigMap({ namespace: 'loss', body: configMap('comes') })
  t.deepEqual(follower.names(), ['goes', 'stays'], 'nothing can have been heard')
  relay.heal()
  await follower.until(() => same(follower.names(), ['comes', 'stays']))
  for (let i = 0; i < 20; i++) {
    const name = `after-${i}`
    await api.createNamespacedConfigMap({ namespace: 'loss', body: configMap(name) })
    relay.cut()
    await follower.until(() => follower.informer.get(name, 'loss') !== undefined)
  }
  await follower.stop()
  t.true(follower.errors.length > 0, 'the losses were felt')
  t.is(follower.names().length, 22)
})

test.serial('an informer that was away for too long is told 410 and lists again', async (t) => {
  const api = await namespace('gone')
  await api.createNamespacedConfigMap({ namespace: 'gone', body: configMap('counter') })
  await api.createNamespacedConfigMap({ namespace: 'gone', body: configMap('removed-meanwhile') })
  await using relay = await openRelay(apiPort())
  const follower = new Follower(through(relay), 'gone')
  await follower.start()
  await follower.until(() => same(follower.names(), ['counter', 'removed-meanwhile']))
  const from = (await api.listNamespacedConfigMap({ namespace: 'gone' })).metadata?.resourceVersion ?? ''
  await follower.stop()
  relay.block()
  await api.deleteNamespacedConfigMap({ namespace: 'gone', name: 'removed-meanwhile' })
  await manyChanges('gone', 'counter', 11_000)
  relay.heal()
  await follower.start()
  await follower.until(() => same(follower.names(), ['counter']) && follower.lists > 1)
  await follower.stop()
  t.truthy(follower.informer.get('counter', 'gone')?.data?.['n'])
  t.is(follower.lists, 2)
  const answer = await watchFrom('gone', from)
  t.regex(answer, /"code":410/)
  t.regex(answer, /"reason":"(Expired|Gone)"/)
})

test.serial('of two candidates one leads; cut off, it steps down before the other takes over', async (t) => {
  await using first = await openRelay(apiPort())
  await using second = await openRelay(apiPort())
  const story: string[] = []
  const end = new AbortController()
  const campaign = (name: string, relay: Relay) => {
    const leads = Promise.withResolvers<void>()
    const client = new KubeClient(through(relay))
    const election = new LeaderElection(
      { client, clock: systemClock, logger: silentLogger },
      { namespace: 'default', name: 'a-lease', identity: name, leaseMs: 3_000, renewDeadlineMs: 1_500, retryMs: 200 },
    )
    const done = election.run(end.signal, async (leading) => {
      story.push(`${name} leads`)
      leads.resolve()
      await new Promise<void>((resolve) => leading.addEventListener('abort', () => resolve(), { once: true }))
      story.push(`${name} stepped down`)
    })
    return { leads: leads.promise, done: done.finally(() => client[Symbol.dispose]()) }
  }
  const a = campaign('a', first)
  await a.leads
  const b = campaign('b', second)
  first.block()
  await b.leads
  t.deepEqual(story, ['a leads', 'a stepped down', 'b leads'])
  first.heal()
  end.abort()
  await Promise.all([a.done, b.done])
  const lease = JSON.parse(await cluster.must('get', 'lease', 'a-lease', '-o', 'json')) as {
    spec: Record<string, unknown>
  }
  t.is(lease.spec['leaseTransitions'], 1)
})

test.serial('exec: output, input, exit code; a lost connection ends the session and no later one', async (t) => {
  await cluster.apply(`
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: curlimages/curl, command: [sleep, infinity]}]`)
  await cluster.must('wait', 'pod/shell', '--for=condition=Ready', '--timeout=30s')
  await using relay = await openRelay(apiPort())
  const exec = new Exec(through(relay))
  const run = async (script: string, stdin: PassThrough | null = null) => {
    const [out, err] = [new Collected(), new Collected()]
    const status = Promise.withResolvers<V1Status>()
    const socket = await exec.exec(
      'default',
      'shell',
      'main',
      ['sh', '-c', script],
      out,
      err,
      stdin,
      false,
      status.resolve,
    )
    return { out, err, socket, status: status.promise }
  }
  const input = new PassThrough()
  input.end('a line\n')
  const said = await run('cat; echo over >&2; exit 3', input)
  const status = await said.status
  t.is(said.out.text, 'a line\n')
  t.is(said.err.text, 'over\n')
  t.is(status.status, 'Failure')
  t.is(status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message, '3')
  // More sessions than the server allows at once, so that one that stayed behind would be noticed.
  for (let i = 0; i < 520; i += 20) {
    const sessions = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const session = await run('echo ready; cat', new PassThrough())
        await session.out.until('ready')
        return session
      }),
    )
    const closed = Promise.all(sessions.map(({ socket }) => once(socket, 'close')))
    relay.cut()
    await closed
  }
  const after = await run('echo still here')
  t.is((await after.status).status, 'Success')
  t.is(after.out.text, 'still here\n')
})

class Collected extends Writable {
  text = ''

  /** Settles when `part` was written. */
  async until(part: string): Promise<void> {
    while (!this.text.includes(part)) await once(this, 'text')
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    this.emit('text')
    done()
  }
}

/** Options of a raw request, for what the generated client does not show or is too slow for. */
async function connection(): Promise<AgentOptions> {
  const tls = {}
  await direct.applyToHTTPSOptions(tls)
  return { ...tls, host: '127.0.0.1', port: apiPort() }
}

/** Writes an object `times` times: more than the server remembers for watches that come back. */
async function manyChanges(namespace: string, name: string, times: number): Promise<void> {
  const agent = new Agent({ ...(await connection()), keepAlive: true, maxSockets: 16 })
  let n = 0
  const writer = async (): Promise<void> => {
    while (n < times) {
      const body = JSON.stringify({ data: { n: String(++n) } })
      const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`
      const headers = { 'content-type': 'application/merge-patch+json', 'content-length': Buffer.byteLength(body) }
      const ask = request({ agent, method: 'PATCH', path, headers })
      ask.end(body)
      const [answer] = (await once(ask, 'response')) as [IncomingMessage]
      if (answer.statusCode !== 200) throw new Error(`PATCH answered ${answer.statusCode}`)
      answer.resume()
      await once(answer, 'end')
    }
  }
  try {
    await Promise.all(Array.from({ length: 16 }, writer))
  } finally {
    agent.destroy()
  }
}

/** All that a watch from an old resource version is answered. */
async function watchFrom(namespace: string, resourceVersion: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/configmaps?watch=true&timeoutSeconds=5&resourceVersion=${resourceVersion}`
  const ask = request({ ...(await connection()), path })
  ask.end()
  const [answer] = (await once(ask, 'response')) as [IncomingMessage]
  return await text(answer)
}
