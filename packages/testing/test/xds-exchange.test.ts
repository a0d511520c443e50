import { TYPE_URLS } from '@ambit/api'
import { systemClock, when } from '@ambit/core'
import { PolicyStore, WorkloadStore } from '@ambit/state'
import {
  DeltaClient,
  type DeltaClientOptions,
  type RejectedResource,
  type ResourceChange,
  ResourceTable,
  type TypeSubscription,
} from '@ambit/xds'
import test from 'ava'
import {
  addressBytes,
  authorizationResource,
  CertificateMaker,
  RecordingLogger,
  RecordingMetrics,
  ScriptedXds,
  type ScriptedXdsOptions,
  serviceResource,
  workloadResource,
} from '../src/index.ts'

/** Keeps what arrives; refuses names that begin with `bad`. */
class Recorder implements TypeSubscription {
  readonly typeUrl: string
  readonly mode: 'wildcard' | 'on-demand'
  readonly held = new Map<string, string>()
  readonly changes: { upserts: string[]; removed: string[] }[] = []
  #waiting: { test: () => boolean; resolve: () => void }[] = []

  constructor(typeUrl: string, mode: 'wildcard' | 'on-demand' = 'wildcard') {
    this.typeUrl = typeUrl
    this.mode = mode
  }

  apply({ upserts, removed }: ResourceChange): readonly RejectedResource[] {
    this.changes.push({ upserts: upserts.map(({ name }) => name), removed: [...removed] })
    const bad = upserts.filter(({ bytes }) => bytes[0] === 0xff).map(({ name }) => ({ name, reason: 'unreadable' }))
    for (const name of removed) this.held.delete(name)
    for (const { name, bytes } of upserts) if (bytes[0] !== 0xff) this.held.set(name, String(bytes[0]))
    this.#waiting = this.#waiting.filter((waiting) => !waiting.test() || waiting.resolve())
    return bad
  }

  until(test: () => boolean): Promise<void> {
    if (test()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ test, resolve }))
  }
}

const ONE = 'type.example/one'
const TWO = 'type.example/two'

function resource(name: string, value: number, aliases: string[] = []) {
  return { name, aliases, bytes: Uint8Array.of(value) }
}

function client(server: ScriptedXds, types: readonly TypeSubscription[], more: Partial<DeltaClientOptions> = {}) {
  const metrics = new RecordingMetrics()
  const logger = new RecordingLogger()
  const delta = new DeltaClient(
    { clock: systemClock, logger, metrics },
    {
      address: server.address,
      root: { pem: server.certificates.rootsPem },
      token: { token: 'secret' },
      node: { id: 'ztunnel~10.0.0.1~z.istio-system~istio-system.svc.cluster.local' },
      types,
      ...more,
    },
  )
  delta.start()
  return { delta, metrics, logger }
}

const restart = (options: ScriptedXdsOptions & { from: ScriptedXds }) =>
  ScriptedXds.start({
    certificates: options.from.certificates,
    table: options.from.table,
    port: options.from.port,
    ...options,
  })

test('a client is synced only after every wildcard type was answered, also with nothing', async (t) => {
  await using server = await ScriptedXds.start()
  server.table.update(ONE, { upserts: [resource('a', 1), resource('b', 2)] })
  const one = new Recorder(ONE)
  const two = new Recorder(TWO)
  const { delta, metrics } = client(server, [one, two])
  await using _ = delta
  await delta.synced
  t.deepEqual(
    [...one.held],
    [
      ['a', '1'],
      ['b', '2'],
    ],
  )
  t.is(two.changes.length, 1)
  t.is(metrics.value('istio_xds_message', { url: ONE }), 1)
  t.true(metrics.value('istio_xds_message_bytes', { url: ONE }) > 0)
})

test('changes and removals are pushed', async (t) => {
  await using server = await ScriptedXds.start()
  server.table.update(ONE, { upserts: [resource('a', 1), resource('b', 2)] })
  const one = new Recorder(ONE)
  const { delta } = client(server, [one])
  await using _ = delta
  await delta.synced
  server.table.update(ONE, { upserts: [resource('a', 9), resource('b', 2)], removed: ['none'] })
  await one.until(() => one.held.get('a') === '9')
  server.table.update(ONE, { removed: ['b'] })
  await one.until(() => !one.held.has('b'))
  t.deepEqual(one.changes.slice(1), [
    { upserts: ['a'], removed: [] },
    { upserts: [], removed: ['b'] },
  ])
})

test('a reconnecting client is sent only what changed meanwhile', async (t) => {
  const first = await ScriptedXds.start()
  first.table.update(ONE, { upserts: [resource('same', 1), resource('changed', 1), resource('gone', 1)] })
  const one = new Recorder(ONE)
  const { delta } = client(first, [one])
  await using _ = delta
  await delta.synced
  await first[Symbol.asyncDispose]()
  first.table.update(ONE, { upserts: [resource('changed', 2), resource('new', 3)], removed: ['gone'] })
  await using second = await restart({ from: first })
  await one.until(() => one.held.has('new'))
  t.deepEqual(one.changes.slice(1), [{ upserts: ['changed', 'new'], removed: ['gone'] }])
  t.is(second.delta.connections().length, 1)
})

test('a refused resource does not stop the others, is reported, and is asked for again after a reconnect', async (t) => {
  const first = await ScriptedXds.start()
  first.table.update(ONE, { upserts: [resource('good', 1), resource('poor', 0xff)] })
  const one = new Recorder(ONE)
  const { delta } = client(first, [one])
  await using _ = delta
  await one.until(() => one.held.has('good'))
  t.false(delta.isSynced.value, 'a refused first answer does not open the gate')
  first.table.update(ONE, { upserts: [resource('other', 1)] })
  await delta.synced
  const [status] = first.delta.connections()[0]?.types ?? []
  t.is(status?.lastError, 'poor: unreadable')
  t.is(first.metrics.value('pilot_total_xds_rejects', { type: ONE }), 1)
  t.is(one.changes.filter(({ upserts }) => upserts.includes('poor')).length, 1, 'not sent again by itself')
  await first[Symbol.asyncDispose]()
  await using _second = await restart({ from: first })
  await one.until(() => one.changes.filter(({ upserts }) => upserts.includes('poor')).length === 2)
  t.deepEqual(one.changes.at(-1), { upserts: ['poor'], removed: [] })
})

test('on demand, nothing comes that was not asked for', async (t) => {
  await using server = await ScriptedXds.start()
  server.table.update(ONE, { upserts: [resource('uid-1', 1, ['net/10.0.0.1']), resource('uid-2', 2)] })
  const one = new Recorder(ONE, 'on-demand')
  const two = new Recorder(TWO)
  const { delta } = client(server, [one, two])
  await using _ = delta
  await delta.synced
  await delta.demand(ONE, 'net/10.0.0.1')
  t.deepEqual([...one.held.keys()], ['uid-1'], 'found by alias, named by uid')
  await delta.demand(ONE, 'nothing')
  t.true(one.changes.some(({ removed }) => removed.includes('nothing')))
  server.table.update(ONE, { upserts: [resource('uid-2', 3), resource('uid-1', 4, ['net/10.0.0.1'])] })
  await one.until(() => one.held.get('uid-1') === '4')
  t.false(one.held.has('uid-2'))
  server.table.update(ONE, { upserts: [resource('nothing', 5)] })
  await one.until(() => one.held.has('nothing'))
})

test('an address that moves to another workload is followed on demand', async (t) => {
  await using server = await ScriptedXds.start()
  server.table.update(ONE, { upserts: [resource('old', 1, ['net/10.0.0.1'])] })
  const one = new Recorder(ONE, 'on-demand')
  const { delta } = client(server, [one])
  await using _ = delta
  await delta.demand(ONE, 'net/10.0.0.1')
  server.table.update(ONE, { upserts: [resource('new', 2, ['net/10.0.0.1'])], removed: ['old'] })
  await one.until(() => one.held.has('new') && !one.held.has('old'))
  t.pass()
})

test('names asked for while disconnected are asked for on connecting', async (t) => {
  const first = await ScriptedXds.start()
  const one = new Recorder(ONE, 'on-demand')
  const { delta } = client(first, [one])
  await using _ = delta
  await when(delta.connected, Boolean)
  await first[Symbol.asyncDispose]()
  const arrived = delta.demand(ONE, 'late')
  first.table.update(ONE, { upserts: [resource('late', 1)] })
  await using _second = await restart({ from: first })
  await arrived
  t.true(one.held.has('late'))
})

test('the client proves itself with the token and the server may refuse', async (t) => {
  let refuse = true
  await using server = await ScriptedXds.start({
    authenticate: (metadata, node) => {
      t.deepEqual(metadata.get('authorization'), ['Bearer secret'])
      t.true(node.id.startsWith('ztunnel~'))
      return Promise.resolve(refuse ? { error: 'who are you' } : { ok: true })
    },
  })
  const { delta, logger, metrics } = client(server, [new Recorder(ONE)])
  await using _ = delta
  while (metrics.value('istio_xds_connection_terminations', { reason: 'Error' }) === 0)
    await new Promise((resolve) => setTimeout(resolve, 5))
  t.true(logger.records.some(({ fields }) => fields['details'] === 'who are you'))
  refuse = false
  await delta.synced
})

test('a server that the root does not vouch for is not believed', async (t) => {
  await using server = await ScriptedXds.start()
  const { delta, metrics } = client(server, [new Recorder(ONE)], { root: { pem: new CertificateMaker().rootsPem } })
  await using _ = delta
  while (metrics.value('istio_xds_connection_terminations', { reason: 'ConnectionError' }) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  t.false(delta.isSynced.value)
  t.is(server.delta.connections().length, 0)
})

test('a certificate for the alternative name is accepted, for any other name it is not', async (t) => {
  await using server = await ScriptedXds.start({ dnsNames: ['istiod.istio-system.svc'] })
  const wrong = client(server, [new Recorder(ONE)])
  await using _wrong = wrong.delta
  const right = client(server, [new Recorder(ONE)], { altHostname: 'istiod.istio-system.svc' })
  await using _right = right.delta
  await right.delta.synced
  t.false(wrong.delta.isSynced.value)
})

test('a stream is ended at its maximum age and taken up again without resending', async (t) => {
  await using server = await ScriptedXds.start({ streamMaxAgeMs: 20 })
  server.table.update(ONE, { upserts: [resource('a', 1)] })
  const one = new Recorder(ONE)
  const { delta, metrics } = client(server, [one])
  await using _ = delta
  await one.until(() => one.changes.length >= 3)
  t.true(metrics.value('istio_xds_connection_terminations', { reason: 'Complete' }) >= 2)
  t.deepEqual(one.changes.slice(1, 3), [
    { upserts: [], removed: [] },
    { upserts: [], removed: [] },
  ])
})

test('streams above the limit are turned away', async (t) => {
  await using server = await ScriptedXds.start({ maxStreams: 1 })
  const first = client(server, [new Recorder(ONE)])
  await using _first = first.delta
  await first.delta.synced
  const second = client(server, [new Recorder(ONE)])
  await using _second = second.delta
  while (second.metrics.value('istio_xds_connection_terminations', { reason: 'Error' }) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  t.is(server.delta.connections().length, 1)
})

test('closing the client rejects what is still waited for', async (t) => {
  await using server = await ScriptedXds.start()
  const { delta } = client(server, [new Recorder(ONE, 'on-demand')], { address: 'https://127.0.0.1:1' })
  const waiting = delta.demand(ONE, 'x')
  await delta.close()
  await t.throwsAsync(waiting, { code: 'ERR_XDS_CLOSED' })
  t.is(server.delta.connections().length, 0)
})

test('stores fed by the real stream resolve names in any order of arrival', async (t) => {
  await using server = await ScriptedXds.start()
  server.table.update(TYPE_URLS.address, {
    upserts: [
      workloadResource({
        uid: 'Kubernetes//Pod/shop/cart-1',
        name: 'cart-1',
        namespace: 'shop',
        addresses: [addressBytes('10.0.0.7')],
        tunnelProtocol: 1,
        services: { 'shop/cart.shop.svc.cluster.local': { ports: [{ servicePort: 80, targetPort: 8080 }] } },
      }),
      serviceResource({
        name: 'cart',
        namespace: 'shop',
        hostname: 'cart.shop.svc.cluster.local',
        addresses: [{ network: '', address: addressBytes('10.96.0.7') }],
        ports: [{ servicePort: 80, targetPort: 8080 }],
      }),
    ],
  })
  server.table.update(TYPE_URLS.authorization, {
    upserts: [authorizationResource({ name: 'deny', namespace: 'shop', scope: 1, action: 1, rules: [{}] })],
  })
  const workloads = new WorkloadStore({ clock: systemClock })
  const policies = new PolicyStore()
  const { delta } = client(server, [
    { typeUrl: TYPE_URLS.address, mode: 'wildcard', apply: (change) => workloads.apply(change) },
    { typeUrl: TYPE_URLS.authorization, mode: 'wildcard', apply: (change) => policies.apply(change) },
  ])
  await using _ = delta
  await delta.synced
  const service = workloads.service('shop/cart.shop.svc.cluster.local')
  t.is(service && workloads.usableEndpoints(service).length, 1)
  t.deepEqual(
    [...policies.policies()].map(({ action }) => action),
    ['Deny'],
  )
})

test('50,000 resources arrive in one answer and a change among them alone', async (t) => {
  t.timeout(40_000)
  const table = new ResourceTable()
  const pod = (index: number, status: 0 | 1 = 0) =>
    workloadResource({
      uid: `Kubernetes//Pod/ns/pod-${index}`,
      name: `pod-${index}`,
      namespace: 'ns',
      addresses: [Uint8Array.of(10, index >> 16, (index >> 8) & 255, index & 255)],
      tunnelProtocol: 1,
      status,
      services: { 'ns/svc.ns.svc.cluster.local': { ports: [{ servicePort: 80, targetPort: 8080 }] } },
    })
  table.update(TYPE_URLS.address, { upserts: Array.from({ length: 50_000 }, (_, index) => pod(index)) })
  await using server = await ScriptedXds.start({ table })
  const workloads = new WorkloadStore({ clock: systemClock })
  const started = performance.now()
  const { delta } = client(server, [
    { typeUrl: TYPE_URLS.address, mode: 'wildcard', apply: (change) => workloads.apply(change) },
  ])
  await using _ = delta
  await delta.synced
  t.log(`50,000 workloads synced in ${Math.round(performance.now() - started)} ms`)
  t.is([...workloads.workloads()].length, 50_000)
  const { promise, resolve } = Promise.withResolvers<readonly string[]>()
  using _subscription = workloads.subscribe((change) => resolve(change.workloads))
  table.update(TYPE_URLS.address, { upserts: [pod(77, 1)] })
  t.deepEqual(await promise, ['Kubernetes//Pod/ns/pod-77'])
})
