import { decodeFlowLine, MAX_FLOW_LINE } from '@ambit/flow'
import test from 'ava'
import fc from 'fast-check'
import type { GraphView } from '../../graph/src/index.ts'
import { connection, denial, flow, request } from '../../graph/test/support/flows.ts'
import { KubeCluster } from '../src/cluster/kube-cluster.ts'
import { followFlows } from '../src/flows/follow-flows.ts'
import { linesOf } from '../src/flows/lines-of.ts'
import { UpdateQueue } from '../src/flows/update-queue.ts'
import { FlowCluster, type TestProxy } from './support/flow-cluster.ts'
import { PATIENCE_MS } from './support/test-mesh.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

async function threeProxies(
  cluster: FlowCluster,
): Promise<Readonly<Record<'client' | 'server' | 'waypoint', TestProxy>>> {
  const [client, server, waypoint] = await Promise.all([
    cluster.ztunnel('ztunnel-1'),
    cluster.ztunnel('ztunnel-2'),
    cluster.waypoint('waypoint-1'),
  ])
  return { client, server, waypoint }
}

/** Until all these proxies are followed. */
async function followed(...proxies: readonly TestProxy[]): Promise<void> {
  while (proxies.some(({ journal }) => !journal.isFollowed)) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Until nobody follows any of them. */
async function left(...proxies: readonly TestProxy[]): Promise<void> {
  while (proxies.some(({ journal }) => journal.isFollowed)) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('connections: what node proxies and waypoints tell is one table', async (t) => {
  await using cluster = await FlowCluster.start()
  const { client, server, waypoint } = await threeProxies(cluster)
  const [source, destination] = connection({ bytesFromClient: 1536, bytesToClient: 7 })
  client.open(source)
  server.open(destination)
  const [refused, judged] = denial('policy-denied')
  client.journal.ended({ ...refused, id: 's-2' })
  server.journal.ended({ ...judged, id: 'd-2' })
  const [tunnel, denied] = request('r', { state: 'denied', at: '2026-11-21T17:59:00.000Z' })
  client.open(tunnel)
  waypoint.journal.ended(denied)
  const { code, out, err } = await cluster.mesh.ambit('connections')
  t.deepEqual(err, [])
  t.is(code, 0)
  t.deepEqual(
    out.map((line) => line.split(/ {2,}/)),
    [
      [
        'CLIENT',
        'SERVER',
        'PORT',
        'WAYPOINT',
        'OPEN',
        'CONNS',
        'REQUESTS',
        'DENIED',
        'FAILED',
        'SENT',
        'RECEIVED',
        'TLS',
        'KEY EXCHANGE',
        'AGE',
        'CLIENT IDENTITY',
        'SERVER IDENTITY',
      ],
      [
        'shop/web',
        'svc shop/db',
        '5432',
        'shop/waypoint',
        '2',
        '3',
        '1',
        '2',
        '0',
        '1.5 KiB',
        '7 B',
        'TLSv1.3',
        'X25519MLKEM768',
        '0s',
        'cluster.local/ns/shop/sa/web',
        'cluster.local/ns/shop/sa/db',
      ],
    ],
  )
})

test('connections: chosen by namespace, workload, service, state and time', async (t) => {
  await using cluster = await FlowCluster.start()
  const { client } = await threeProxies(cluster)
  client.open(flow())
  client.open(
    flow({
      id: 's-2',
      client: { address: '10.0.0.7:1', namespace: 'other', workload: 'cron', pod: 'cron-1' },
      server: { address: '10.0.0.8:1', namespace: 'other', workload: 'x', pod: 'x-1' },
      service: undefined,
    }),
  )
  client.journal.ended(
    flow({
      id: 's-3',
      state: 'failed',
      at: '2026-11-21T17:00:00.000Z',
      service: { namespace: 'shop', hostname: 'cart.shop.svc.cluster.local', port: 80 },
    }),
  )
  const shown = async (flags: string): Promise<readonly string[]> => {
    const { code, out } = await cluster.mesh.ambit(`connections ${flags}`.trim())
    t.is(code, 0)
    return out.slice(1).map((line) => line.split(/ {2,}/).slice(0, 2).join(' > '))
  }
  t.deepEqual(await shown(''), ['other/cron > other/x', 'shop/web > svc shop/db'])
  t.deepEqual(await shown('-n shop'), ['shop/web > svc shop/db'])
  t.deepEqual(await shown('--workload cron'), ['other/cron > other/x'])
  t.deepEqual(await shown('--workload shop/web-1'), ['shop/web > svc shop/db'])
  for (const name of ['db', 'shop/db', 'db.shop', 'db.shop.svc.cluster.local'])
    t.deepEqual(await shown(`--service ${name}`), ['shop/web > svc shop/db'])
  t.deepEqual(await shown('--state failed'), [])
  t.deepEqual(await shown('--state failed --since 2h'), ['shop/web > svc shop/cart'])
})

test('connections -o json and ndjson: all that is known', async (t) => {
  await using cluster = await FlowCluster.start()
  const { client, server } = await threeProxies(cluster)
  const [source, destination] = connection({ bytesFromClient: 3 })
  client.open(source)
  server.open(destination)
  const json = JSON.parse((await cluster.mesh.ambit('connections -o json')).out.join('\n'))
  t.like(json, { edges: [{ open: 1, bytesFromClient: 3, last: { id: 's-1' } }], gaps: [] })
  t.is(json.nodes.length, 2)
  const { out } = await cluster.mesh.ambit('connections -o ndjson')
  t.deepEqual(
    out
      .map(decodeFlowLine)
      .map((line) => ('flow' in line ? line.flow.id : ''))
      .toSorted(),
    ['d-1', 's-1'],
  )
  t.is((await cluster.mesh.ambit('connections -w -o json')).code, 2)

  client.open(flow({ id: 'evil', client: { address: '\u001b[2J\u009b2J', namespace: 'n', workload: '\u009b2J' } }))
  for (const output of ['short', 'json', 'ndjson']) {
    const shown = (await cluster.mesh.ambit(`connections -o ${output}`)).out.join('')
    t.true(/009b|x9b/.test(shown), output)
    t.notRegex(shown, CONTROL, 'nobody’s name drives a terminal')
  }
})

test('an answer of many megabytes arrives whole, however slowly it is read', async (t) => {
  await using cluster = await FlowCluster.start()
  const client = await cluster.ztunnel('ztunnel-1')
  const count = 20_000
  for (let i = 0; i < count; i++) client.open(flow({ id: `s-${i}` }))
  const { KUBECONFIG: path } = await cluster.mesh.api.environment()
  const ids = new Set<string>()
  let read = 0
  for await (const update of followFlows(KubeCluster.fromKubeConfig({ path, timeoutMs: PATIENCE_MS }), {
    watch: false,
    signal: new AbortController().signal,
  })) {
    if ('gap' in update) t.fail(update.gap)
    else ids.add(update.flow.id)
    // Meanwhile more arrives than anybody should keep.
    if (read++ % 1000 === 0) await aMoment()
  }
  t.is(ids.size, count)
})

test('a proxy that can’t be asked, and one that is none of Ambit’s, are named, and the exit code says that something is missing', async (t) => {
  await using cluster = await FlowCluster.start()
  const { client } = await threeProxies(cluster)
  client.open(flow())
  await cluster.pod('istio-system', 'ztunnel-dead', { app: 'ztunnel' }, [])
  await cluster.pod('istio-system', 'ztunnel-other', { app: 'ztunnel' }, [], await cluster.answering(404))
  await cluster.pod('istio-system', 'ztunnel-broken', { app: 'ztunnel' }, [], await cluster.answering(500))
  await cluster.pod('shop', 'envoy-1', { 'gateway.networking.k8s.io/gateway-name': 'x' }, ['envoy'])
  const { code, out, err } = await cluster.mesh.ambit('connections')
  t.is(code, 75)
  t.is(out.length, 2)
  t.deepEqual(
    err.toSorted().map((line) => line.replace(/ztunnel-dead: .*/, 'ztunnel-dead: …')),
    [
      '! istio-system/ztunnel-broken: /flows answered 500',
      '! istio-system/ztunnel-dead: …',
      '! istio-system/ztunnel-other: does not tell flows: it is not Ambit’s, or of an older version',
    ],
  )
})

test('without the rights it takes, each is named with what the answer leaves out', async (t) => {
  await using cluster = await FlowCluster.start()
  const { client } = await threeProxies(cluster)
  client.open(flow())
  const kubeconfig = await cluster.kubeconfigOf('nobody')
  const nobody = await cluster.mesh.ambit('connections -n shop', undefined, { kubeconfig })
  t.is(nobody.code, 75)
  t.deepEqual(nobody.out.length, 1)
  const said = nobody.err.join('\n')
  t.regex(
    said,
    /! node proxies in istio-system are not asked: it takes the right to list pods in namespace istio-system/,
  )
  t.regex(
    said,
    /! waypoints and gateways of all namespaces are not asked: it takes the right to list pods in all namespaces/,
  )
  t.regex(
    said,
    /! waypoints and gateways of namespace shop are not asked: it takes the right to list pods in namespace shop/,
  )

  const { must } = cluster.mesh
  await must('create', 'clusterrole', 'lister', '--verb=list', '--resource=pods')
  await must('create', 'clusterrolebinding', 'lister', '--clusterrole=lister', '--serviceaccount=default:nobody')
  const lister = await cluster.mesh.ambit('connections', undefined, { kubeconfig })
  t.is(lister.code, 75)
  t.is(lister.err.length, 3)
  t.regex(
    lister.err.join('\n'),
    /! istio-system\/ztunnel-1: .*refused \(403\): it takes the rights get and create on pods\/portforward in namespace istio-system/,
  )

  await must('create', 'clusterrole', 'forwarder', '--verb=get,create', '--resource=pods/portforward')
  await must(
    'create',
    'rolebinding',
    'forwarder',
    '-n',
    'istio-system',
    '--clusterrole=forwarder',
    '--serviceaccount=default:nobody',
  )
  const some = await cluster.mesh.ambit('connections', undefined, { kubeconfig })
  t.is(some.out.length, 2)
  t.deepEqual(
    some.err.map((line) => line.slice(0, 20)),
    ['! shop/waypoint-1: c'],
  )
})

test('an empty cluster is told apart from a silent one', async (t) => {
  await using cluster = await FlowCluster.start()
  const { code, err } = await cluster.mesh.ambit('connections')
  t.is(code, 75)
  t.deepEqual(err, ['! no ztunnel runs in namespace istio-system; is the mesh installed?'])
})

test('graph: as text, Mermaid, Graphviz and JSON', async (t) => {
  await using cluster = await FlowCluster.start()
  const { client, waypoint } = await threeProxies(cluster)
  const [tunnel, told] = request('r', { state: 'denied' })
  client.open(tunnel)
  waypoint.journal.ended(told)
  const graph = async (output: string): Promise<string> => {
    const { code, out, err } = await cluster.mesh.ambit(`graph --for 0s -o ${output}`)
    t.deepEqual(err, [])
    t.is(code, 0)
    return out.join('\n')
  }
  t.regex(await graph('short'), /^shop\/web +-> +svc shop\/db +1 req, 1 denied, 0 B, via shop\/waypoint$/)
  t.regex(
    await graph('mermaid'),
    /^flowchart LR\n[^]*-->\|"1 req, 1 denied, 0 B, via shop\/waypoint"\|[^]*linkStyle 0 stroke:red$/,
  )
  t.regex(await graph('dot'), /^digraph ambit \{[^]*color=red\]\n\}$/)
  t.like(JSON.parse(await graph('json')), { edges: [{ waypoints: ['shop/waypoint'] }], gaps: [] })
  t.is((await cluster.mesh.ambit('graph -w -o dot')).code, 2)
})

test('graph -w: requests count while it looks', async (t) => {
  await using cluster = await FlowCluster.start()
  const { client, waypoint } = await threeProxies(cluster)
  const [tunnel, told] = request('r')
  client.open(tunnel)
  const interrupted = Promise.withResolvers<void>()
  const onOut = (line: string): void => {
    const { edges } = JSON.parse(line) as GraphView
    if (edges[0]?.requests === 2 && edges[0].connections === 1) interrupted.resolve()
  }
  const watching = cluster.mesh.ambit('graph -w -o json', aMoment, { onOut, interruption: interrupted.promise })
  await followed(client, waypoint)
  for (const id of ['r-1', 'r-2']) waypoint.journal.ended({ ...told, id })
  t.is((await watching).code, 130)
})

/** Between two pictures, in place of a second. */
const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

test('connections -w: drawn on a terminal, told line by line elsewhere, until it is interrupted', async (t) => {
  await using cluster = await FlowCluster.start()
  const { client, server } = await threeProxies(cluster)
  const interrupted = Promise.withResolvers<void>()
  const drawn: (readonly string[])[] = []
  const screen = (lines: readonly string[]): void => {
    drawn.push(lines)
    if (lines.some((line) => / 9 B /.test(line))) interrupted.resolve()
  }
  const watching = cluster.mesh.ambit('connections -w', aMoment, { screen, interruption: interrupted.promise })
  await followed(client, server)
  const [source, destination] = connection()
  const open = client.open(source)
  server.open(destination)
  open.bytes(9)
  t.deepEqual(await watching, { code: 130, out: [], err: [] })
  t.true(drawn.length > 1)
  t.regex(drawn.at(-1)?.[1] ?? '', /^shop\/web +svc shop\/db .* 9 B /)

  await left(client, server)
  const again = Promise.withResolvers<void>()
  const lines = cluster.mesh.ambit('connections -w --state closed', aMoment, {
    onOut: () => again.resolve(),
    interruption: again.promise,
  })
  await followed(client, server)
  open.end()
  const { code, out } = await lines
  t.is(code, 130)
  t.deepEqual(out, [
    '2026-11-21T18:00:00.000Z  closed  shop/web -> svc shop/db:5432  9 B/0 B  TLSv1.3 X25519MLKEM768  id=s-1',
  ])
})

test('a proxy that breaks off is a gap, and is asked again; one that starts later is followed, and one that goes is missed', async (t) => {
  await using cluster = await FlowCluster.start()
  const client = await cluster.ztunnel('ztunnel-1')
  client.open(flow())
  const { KUBECONFIG: path } = await cluster.mesh.api.environment()
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const updates = followFlows(KubeCluster.fromKubeConfig({ path, timeoutMs: PATIENCE_MS }), {
    watch: true,
    signal: stop.signal,
  })
  const gaps: string[] = []
  /** The next flow; the gaps before it are noted. */
  const next = async (): Promise<string> => {
    for (;;) {
      const { value: update } = await updates.next()
      if (update === undefined) return 'end'
      if ('flow' in update) return `${update.flow.id} ${update.flow.state}`
      gaps.push(`${update.pod ?? ''}: ${update.gap}`)
      if (update.gap.endsWith('it is gone')) return 'gone'
    }
  }
  t.is(await next(), 's-1 open')
  client.breakOff()
  t.is(await next(), 's-1 open', 'told anew')
  t.regex(gaps[0] ?? '', /^istio-system\/ztunnel-1: istio-system\/ztunnel-1: /)
  const later = await cluster.waypoint('waypoint-1')
  later.open(flow({ id: 'later' }))
  t.is(await next(), 'later open')
  await cluster.mesh.must('delete', 'pod', '-n', 'shop', 'waypoint-1', '--force', '--grace-period=0')
  t.is(await next(), 'gone')
  t.is(gaps.at(-1), 'shop/waypoint-1: shop/waypoint-1: it is gone')
  const last = next()
  stop.abort()
  t.is(await last, 'end')
})

test('property: lines are the same however their bytes are cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''))),
      fc.array(fc.nat(50)),
      async (lines, cuts) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        async function* chunks(): AsyncGenerator<Buffer> {
          let at = 0
          for (const size of cuts) {
            yield bytes.subarray(at, at + size)
            at += size
          }
          yield bytes.subarray(at)
        }
        t.deepEqual(await Array.fromAsync(linesOf(chunks())), lines)
      },
    ),
  )
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(1024, 'x')
  }
  await t.throwsAsync(Array.fromAsync(linesOf(endless())), {
    code: 'CLI_DECODE',
    message: new RegExp(String(MAX_FLOW_LINE)),
  })
})

test('property: what several tell one reader gets, in the order of each, and who is ahead of it waits', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 4 }),
      async (counts, max) => {
        const queue = new UpdateQueue<readonly [who: number, what: number]>({ max })
        const telling = counts.map(async (count, who) => {
          for (let what = 0; what < count; what++) await queue.push([who, what])
        })
        void Promise.all(telling).then(() => queue.end())
        const got = await Array.fromAsync(queue)
        for (const [who, count] of counts.entries()) {
          t.deepEqual(
            got.filter(([from]) => from === who).map(([, what]) => what),
            Array.from({ length: count }, (_, what) => what),
          )
        }
      },
    ),
  )
  const queue = new UpdateQueue<number>({ max: 1 })
  await queue.push(1)
  const waiting = queue.push(2).then(() => 'pushed')
  t.is(await Promise.race([waiting, new Promise((resolve) => setImmediate(resolve, 'waiting'))]), 'waiting')
  await queue[Symbol.asyncIterator]().next()
  t.is(await waiting, 'pushed')
})
