import { once } from 'node:events'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { codeOf, ip, systemClock } from '@ambit/core'
import { clientFd, Netns, netnsDescriptors, netnsSockets, runIp, runNft, warmThreadPool } from '@ambit/linux'
import { PolicyStore } from '@ambit/state'
import { RecordingLogger, RecordingMetrics } from '@ambit/testing'
import test from 'ava'
import { Connections } from '../src/connections.ts'
import { Cut } from '../src/cut.ts'
import { Bytes } from '../src/data-path/bytes.ts'
import type {
  CapturedConnection,
  DataPath,
  PathListenOptions,
  PodPath,
  PodPathComponents,
} from '../src/data-path/data-path.types.ts'
import { startDataPath } from '../src/data-path/start-data-path.ts'
import { PodProxy } from '../src/pod-proxy.ts'
import { Rejudging } from '../src/rejudging.ts'

const MARK = 0x539
const LOOPBACK = ip('127.0.0.1')
const unused = (): never => {
  throw new Error('no peer has any business here')
}

test.before(() => warmThreadPool())

/** What carries the bytes, and the pod's part of it. */
async function startPath(name: 'node' | 'reactor'): Promise<DataPath> {
  const components = {
    clock: systemClock,
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
    onLost: unused,
  }
  return await startDataPath(components, { dataPath: name, workerThreads: 1 })
}

function pathOf(dataPath: DataPath, netns: Netns, more: Partial<PodPathComponents> = {}): PodPath {
  return dataPath.forPod(
    {
      sockets: netnsSockets(netns, { mark: MARK }),
      descriptors: netnsDescriptors(netns, { mark: MARK }),
      certificate: unused,
      ownCertificate: unused,
      onConnect: unused,
      onTlsError: unused,
      clock: systemClock,
      logger: new RecordingLogger(),
      ...more,
    },
    { maxStreamsPerConnection: 1, idleReleaseMs: 1 },
  )
}

const at = (port: number): PathListenOptions => ({ ip: ip('::'), port, reusePort: true, transparent: true })

/** Two namespaces joined by a cable: a is 10.90.0.1 / fd90::1, b is .2 / ::2 and the way to everywhere. */
async function cable(): Promise<{ a: Netns; b: Netns } & Disposable> {
  const a = Netns.create()
  const b = Netns.create()
  await runIp(a, [`link add eth0 type veth peer name eth0 netns /proc/${process.pid}/fd/${b.fd}`])
  for (const [netns, host] of [
    [a, 1],
    [b, 2],
  ] as const) {
    await runIp(netns, [
      'link set lo up',
      `addr add 10.90.0.${host}/24 dev eth0`,
      `addr add fd90::${host}/64 dev eth0 nodad`,
      'link set eth0 up',
    ])
  }
  await runIp(a, ['route add default via 10.90.0.2', 'route add default via fd90::2'])
  return {
    a,
    b,
    [Symbol.dispose]() {
      a[Symbol.dispose]()
      b[Symbol.dispose]()
    },
  }
}

/** A server in a namespace that echoes; remembers who came. */
async function echo(netns: Netns, port: number): Promise<{ clients: string[] } & Disposable> {
  const clients: string[] = []
  const server = await netnsSockets(netns).listen({
    ip: ip('::'),
    port,
    allowHalfOpen: true,
    onConnection: (socket) => {
      clients.push((socket.remoteAddress ?? '').replace('::ffff:', ''))
      socket.on('error', () => undefined).pipe(socket)
    },
  })
  return { clients, [Symbol.dispose]: () => void server.close() }
}

const flow = (client: CapturedConnection) => {
  const cut = new Cut()
  cut.owns(client)
  return { bytes: new Bytes(), cut }
}

for (const name of ['node', 'reactor'] as const) {
  for (const [family, target, server] of [
    ['IPv4', '203.0.113.9', '10.90.0.2'],
    ['IPv6', '2001:db8::9', 'fd90::2'],
  ] as const) {
    test.serial(`${name}: a redirected ${family} connection is carried on from the pod, with the mark`, async (t) => {
      using pair = await cable()
      await using dataPath = await startPath(name)
      await runNft(
        pair.a,
        `table inet t { chain o { type nat hook output priority -100; meta l4proto tcp mark and 0xfff != ${MARK} oifname != lo redirect to :15001; }; }`,
      )
      using upstream = await echo(pair.b, 8080)
      const path = pathOf(dataPath, pair.a)
      const captured = Promise.withResolvers<CapturedConnection>()
      const listener = await path.listen(at(15001), captured.resolve)
      const client = await netnsSockets(pair.a).dial({
        to: { ip: ip(target), port: 4433 },
        allowHalfOpen: true,
        timeoutMs: 5000,
      })
      const connection = await captured.promise
      t.deepEqual(connection.target, { ip: ip(target), port: 4433 })
      t.is(connection.source.ip, ip(family === 'IPv4' ? '10.90.0.1' : 'fd90::1'))
      t.is(connection.source.port, client.localPort ?? 0)
      // It reaches the wire, and not the listener again: it is marked.
      const underWay = flow(connection)
      const copy = await connection.forward({ to: { ip: ip(server), port: 8080 } }, underWay)
      client.end('hello')
      t.is(await text(client), 'hello')
      t.is(await copy.over, undefined)
      t.is(underWay.bytes.fromDownstream, 5)
      t.is(underWay.bytes.toDownstream, 5)
      t.deepEqual(upstream.clients, [connection.source.ip])
      listener.close()
      await path.close()
    })
  }

  test.serial(
    `${name}: an application sees its client's address, or is not there, with the system's words`,
    async (t) => {
      using pair = await cable()
      await using dataPath = await startPath(name)
      // b is the pod: its proxy dials its application with a client's address; replies come back through table 100.
      await runIp(pair.b, ['route add local 0.0.0.0/0 dev lo table 100'])
      await runIp(pair.b, ['rule add fwmark 0x111/0xfff pref 32764 lookup 100'], { family: 4 })
      await runNft(
        pair.b,
        `table inet m {
        chain pre { type filter hook prerouting priority -150; meta mark and 0xfff == ${MARK} ct mark set 0x111; }
        chain out { type route hook output priority -150; ct mark 0x111 meta mark set ct mark; }
      }`,
      )
      using application = await echo(pair.b, 8080)
      const path = pathOf(dataPath, pair.b)
      const captured: CapturedConnection[] = []
      const arrived = Promise.withResolvers<void>()
      const listener = await path.listen(at(15006), (connection) => {
        if (captured.push(connection) === 2) arrived.resolve()
      })
      const dial = () =>
        netnsSockets(pair.a).dial({ to: { ip: ip('10.90.0.2'), port: 15006 }, allowHalfOpen: true, timeoutMs: 5000 })
      const [client, other] = await Promise.all([dial(), dial()])
      await arrived.promise
      captured.sort((one) => (one.source.port === client.localPort ? -1 : 1))
      const [first, second] = captured as [CapturedConnection, CapturedConnection]
      const to = { ip: ip('10.90.0.2'), port: 8080 }
      await first.forward({ to, from: ip('10.90.0.77') }, flow(first))
      client.end('x')
      t.is(await text(client), 'x')
      t.deepEqual(application.clients, ['10.90.0.77'])
      const nobody = { ...to, port: 81 }
      const failure = await t.throwsAsync(second.forward({ to: nobody }, flow(second)), { code: 'ECONNREFUSED' })
      t.regex(failure?.message ?? '', /connect ECONNREFUSED 10\.90\.0\.2:81/)
      // What could not be carried is as it was: it can be tried again, and refused.
      await first.refuse()
      const reset = once(other, 'error')
      const refused = second.refuse()
      other.write('said')
      t.is(codeOf(((await reset) as [Error])[0]), 'ECONNRESET')
      await refused
      listener.close()
      await path.close()
    },
  )

  test.serial(`${name}: a port that is taken is an error, and free again when its listener is closed`, async (t) => {
    using netns = Netns.create()
    await runIp(netns, ['link set lo up'])
    await using dataPath = await startPath(name)
    const path = pathOf(dataPath, netns)
    const listen = () => path.listen({ ...at(15006), reusePort: false }, unused)
    const first = await listen()
    await t.throwsAsync(listen(), { code: 'EADDRINUSE' })
    first.close()
    await path.close()
    await path.untilTaken()
    const again = await listen()
    again.close()
  })

  test.serial(`${name}: when ports are shared, those who wait are served and new ones go to the newer`, async (t) => {
    using netns = Netns.create()
    await runIp(netns, ['link set lo up'])
    await using dataPath = await startPath(name)
    using _application = await echo(netns, 8080)
    const served: string[] = []
    const serve = async (word: string) => {
      const accept = (connection: CapturedConnection): void => {
        served.push(word)
        void connection.forward({ to: { ip: LOOPBACK, port: 8080 } }, flow(connection)).catch(() => undefined)
      }
      const logger = new RecordingLogger()
      const rejudging = new Rejudging()
      const policies = new PolicyStore()
      return await PodProxy.start(
        {
          connections: new Connections({ policies, currentWorkload: unused, clock: systemClock, logger, rejudging }),
          outbound: { accept },
          inboundPlaintext: { accept },
          path: pathOf(dataPath, netns),
          clock: systemClock,
        },
        {
          ports: { outbound: 15001, inboundPlaintext: 15006, hbone: 15008, dns: 15053 },
          listenIp: ip('::'),
          reusePort: true,
          transparent: true,
        },
      )
    }
    const answers = (count: number) =>
      Array.from({ length: count }, async () => {
        const socket = await netnsSockets(netns).dial({
          to: { ip: LOOPBACK, port: 15006 },
          allowHalfOpen: true,
          timeoutMs: 5000,
        })
        socket.end('x')
        return await text(socket)
      })
    const older = await serve('older')
    const newer = await serve('newer')
    const early = answers(100)
    const drained = older.drain(5000)
    const late = answers(20)
    await drained
    const afterwards = answers(20)
    t.deepEqual(new Set(await Promise.all([...early, ...late, ...afterwards])), new Set(['x']))
    t.true(served.filter((word) => word === 'newer').length >= 40)
    t.is(served.length, 140)
    await newer.close()
    await t.throwsAsync(Promise.all(answers(1)), { code: 'ECONNREFUSED' }, 'closed means closed, at once')
  })
}

test.serial('reactor: where a foreign port is taken towards the same place, the next one is tried', async (t) => {
  using netns = Netns.create()
  await runIp(netns, ['link set lo up'])
  await using dataPath = await startPath('reactor')
  using application = await echo(netns, 8080)
  const ports = [20_000, 20_000, 20_001]
  const descriptors = {
    ...netnsDescriptors(netns),
    listener: (options: PathListenOptions) => netnsDescriptors(netns).listener(options),
    originalDestination: ({ local }: { local: { ip: typeof LOOPBACK; port: number } }) => local,
    client: () => clientFd(netns, LOOPBACK, { from: { ip: ip('127.0.0.9'), nextPort: () => ports.shift() ?? 0 } }),
  }
  const path = pathOf(dataPath, netns, { descriptors })
  const answers: string[] = []
  const listener = await path.listen(at(15006), (connection) => {
    void connection
      .forward({ to: { ip: LOOPBACK, port: 8080 }, from: ip('127.0.0.9') }, flow(connection))
      .catch((error: Error) => answers.push(error.message))
  })
  const clients: Socket[] = []
  for (const word of ['one', 'two']) {
    const client = await netnsSockets(netns).dial({ to: { ip: LOOPBACK, port: 15006 }, timeoutMs: 5000 })
    clients.push(client)
    client.write(word)
    const [bytes] = (await once(client, 'data')) as [Buffer]
    answers.push(bytes.toString())
  }
  t.deepEqual(answers, ['one', 'two'])
  t.deepEqual(application.clients, ['127.0.0.9', '127.0.0.9'])
  t.deepEqual(ports, [])
  for (const client of clients) client.destroy()
  listener.close()
  await path.close()
})
