import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import type { Server, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { ip } from '@ambit/core'
import test from 'ava'
import {
  hostSockets,
  interfaceAddresses,
  markedSockets,
  Netns,
  netnsSockets,
  readNft,
  runIp,
  runNft,
  spawnIn,
  ToolError,
  warmThreadPool,
} from '../src/index.ts'

const MARK = 0x539

test.before(() => warmThreadPool())

/** Two namespaces joined by a cable: a is 10.90.0.1 / fd90::1, b is .2 / ::2. */
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
  return {
    a,
    b,
    [Symbol.dispose]() {
      a[Symbol.dispose]()
      b[Symbol.dispose]()
    },
  }
}

test.serial('every thread is at home after a run', (t) => {
  using netns = Netns.create()
  const home = readlinkSync('/proc/self/ns/net')
  const inside = netns.run(() => readlinkSync('/proc/thread-self/ns/net'))
  t.not(inside, home)
  for (const task of readdirSync('/proc/self/task')) t.is(readlinkSync(`/proc/self/task/${task}/ns/net`), home)
})

test.serial('a nested run returns to the namespace it came from, also after a throw', (t) => {
  using outer = Netns.create()
  using inner = Netns.create()
  const here = (): string => readlinkSync('/proc/thread-self/ns/net')
  outer.run(() => {
    const before = here()
    t.throws(() =>
      inner.run(() => {
        throw new Error('x')
      }),
    )
    t.is(here(), before)
  })
})

test.serial('asynchronous work inside a namespace is refused', (t) => {
  using netns = Netns.create()
  t.throws(() => netns.run(() => Promise.resolve(1)), { instanceOf: TypeError })
})

test.serial('a duplicate is the same namespace and outlives the original', (t) => {
  const original = Netns.create()
  using copy = original.dup()
  t.is(copy.id, original.id)
  original[Symbol.dispose]()
  t.throws(() => original.run(() => 1), { instanceOf: TypeError })
  t.is(
    copy.run(() => 1),
    1,
  )
})

test.serial('interface addresses are those of the namespace asked about', async (t) => {
  using pair = await cable()
  const found = interfaceAddresses(pair.a).map(({ name, ip, prefix }) => `${name} ${ip}/${prefix}`)
  for (const want of ['lo 127.0.0.1/8', 'lo ::1/128', 'eth0 10.90.0.1/24', 'eth0 fd90::1/64'])
    t.true(found.includes(want), want)
})

for (const [family, target] of [
  ['IPv4', '10.90.0.2'],
  ['IPv6', 'fd90::2'],
] as const) {
  test.serial(`a dial in one namespace reaches a listener in another over ${family}`, async (t) => {
    using pair = await cable()
    const a = netnsSockets(pair.a, { mark: MARK })
    const b = netnsSockets(pair.b, { mark: MARK })
    const accepted = Promise.withResolvers<Socket>()
    const server = await b.listen({
      ip: ip('::'),
      port: 8080,
      transparent: true,
      reusePort: true,
      onConnection: accepted.resolve,
    })
    const client = await a.dial({ to: { ip: ip(target), port: 8080 }, timeoutMs: 5000 })
    const peer = await accepted.promise
    t.deepEqual(b.originalDestination(peer), { ip: ip(target), port: 8080 })
    client.end('hello')
    t.is(await text(peer), 'hello')
    peer.destroy()
    server.close()
    await once(server, 'close')
  })
}

for (const [family, target] of [
  ['IPv4', '203.0.113.9'],
  ['IPv6', '2001:db8::9'],
] as const) {
  test.serial(
    `a redirected ${family} connection still knows where it was going, and marked sockets are not redirected`,
    async (t) => {
      using pair = await cable()
      await runIp(pair.a, ['route add default via 10.90.0.2', 'route add default via fd90::2'])
      await runNft(
        pair.a,
        `table inet t { chain o { type nat hook output priority -100; meta l4proto tcp mark and 0xfff != ${MARK} oifname != lo redirect to :15001; }; }`,
      )
      const marked = netnsSockets(pair.a, { mark: MARK })
      const unmarked = netnsSockets(pair.a)
      const accepted = Promise.withResolvers<Socket>()
      const server = await marked.listen({
        ip: ip('::'),
        port: 15001,
        allowHalfOpen: true,
        onConnection: accepted.resolve,
      })
      const client = await unmarked.dial({ to: { ip: ip(target), port: 4433 }, timeoutMs: 5000 })
      const peer = await accepted.promise
      t.deepEqual(marked.originalDestination(peer), { ip: ip(target), port: 4433 })
      // The same dial with the mark goes to the wire, where nobody answers.
      await t.throwsAsync(marked.dial({ to: { ip: ip(target), port: 4433 }, timeoutMs: 200 }), { code: 'ETIMEDOUT' })
      client.destroy()
      peer.destroy()
      server.close()
    },
  )
}

test.serial('a dial appears with the foreign source it asked for, from a port below the ephemeral range', async (t) => {
  using pair = await cable()
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
  const proxy = netnsSockets(pair.b, { mark: MARK })
  const application = netnsSockets(pair.b)
  const peers: Socket[] = []
  const server = await application.listen({
    ip: ip('0.0.0.0'),
    port: 8080,
    onConnection: (socket) => peers.push(socket),
  })
  const dial = { to: { ip: ip('10.90.0.2'), port: 8080 }, from: ip('10.90.0.77'), timeoutMs: 3000 }
  const clients = await Promise.all([proxy.dial(dial), proxy.dial(dial), proxy.dial(dial)])
  while (peers.length < 3) await once(server, 'connection')
  for (const peer of peers) {
    t.is(peer.remoteAddress, '10.90.0.77')
    t.true((peer.remotePort ?? 0) >= 1024 && (peer.remotePort ?? 0) <= 32767)
  }
  t.is(new Set(peers.map((peer) => peer.remotePort)).size, 3)
  for (const socket of [...clients, ...peers]) socket.destroy()
  server.close()
})

test.serial('marked sockets of the own namespace are not redirected', async (t) => {
  using home = Netns.home()
  await runIp(home, ['link set lo up'])
  const marked = markedSockets({ mark: MARK })
  const server = await marked.listen({ ip: ip('127.0.0.1'), port: 0, onConnection: (peer) => peer.destroy() })
  const { port } = server.address() as { port: number }
  await runNft(
    home,
    `table inet own { chain o { type nat hook output priority -100; tcp dport 4433 meta mark and 0xfff != ${MARK} redirect to :${port}; }; }`,
  )
  const to = { ip: ip('127.0.0.1'), port: 4433 }
  const redirected = await hostSockets().dial({ to, timeoutMs: 5000 })
  redirected.destroy()
  await t.throwsAsync(marked.dial({ to, timeoutMs: 5000 }), { code: 'ECONNREFUSED' })
  await runNft(home, 'delete table inet own')
  server.close()
})

test.serial('failures of a dial carry the system code', async (t) => {
  using pair = await cable()
  const sockets = netnsSockets(pair.a, { mark: MARK })
  const to = (text: string, port: number) => ({ to: { ip: ip(text), port }, timeoutMs: 3000 })
  await t.throwsAsync(sockets.dial(to('10.90.0.2', 81)), { code: 'ECONNREFUSED' })
  await t.throwsAsync(sockets.dial(to('192.0.2.1', 81)), { code: 'ENETUNREACH' })
  const reason = new Error('given up')
  await t.throwsAsync(sockets.dial({ ...to('10.90.0.99', 81), signal: AbortSignal.abort(reason) }), { is: reason })
})

test.serial('listening on a taken port is an error, with reusePort it is shared', async (t) => {
  using netns = Netns.create()
  await runIp(netns, ['link set lo up'])
  const sockets = netnsSockets(netns)
  const onConnection = (): void => undefined
  const first = await sockets.listen({ ip: ip('::'), port: 15006, reusePort: true, onConnection })
  const second = await sockets.listen({ ip: ip('::'), port: 15006, reusePort: true, onConnection })
  await t.throwsAsync(sockets.listen({ ip: ip('::'), port: 15006, onConnection }), { code: 'EADDRINUSE' })
  first.close()
  second.close()
})

test.serial('UDP sockets answer from inside the namespace on both loopbacks', async (t) => {
  using netns = Netns.create()
  await runIp(netns, ['link set lo up'])
  const sockets = netnsSockets(netns, { mark: MARK })
  for (const loopback of ['127.0.0.1', '::1']) {
    const server = await sockets.bindUdp({ ip: ip(loopback), port: 15053 })
    const client = await sockets.bindUdp({ ip: ip(loopback), port: 0 })
    server.on('message', (message, from) => server.send(`re: ${message.toString()}`, from.port, from.address))
    client.send('ping', 15053, loopback)
    const [answer] = (await once(client, 'message')) as [Buffer]
    t.is(answer.toString(), 're: ping')
    server.close()
    client.close()
  }
})

test.serial('tools run inside the namespace, and a refusal carries what they said', async (t) => {
  using netns = Netns.create()
  await runNft(netns, 'table inet only_here { }')
  t.regex(await readNft(netns, ['list', 'tables']), /only_here/)
  using other = Netns.create()
  t.is(await readNft(other, ['list', 'tables']), '')
  const error = await t.throwsAsync(runNft(netns, 'nonsense'), { instanceOf: ToolError })
  t.regex(error?.stderr ?? '', /syntax error/)
  const child = spawnIn(netns, 'readlink', ['/proc/self/ns/net'])
  t.is(
    (await text(child.stdout as NodeJS.ReadableStream)).trim(),
    netns.run(() => readlinkSync('/proc/thread-self/ns/net')),
  )
})

/** Connections that are made, and not yet taken, when the older of two listeners at a port is closed: how many are reset. */
async function resetAtHandover(netns: Netns, preferring: boolean): Promise<{ reset: number; served: number }> {
  const sockets = netnsSockets(netns)
  const listen = (port: number, word: string): Promise<Server> =>
    sockets.listen({ ip: ip('::'), port, reusePort: true, onConnection: (socket) => socket.end(word) })
  const older = await listen(8080, 'older')
  const newer = await listen(8080, 'newer')
  if (preferring) sockets.preferNewer(older)
  // The kernel completes them before connect(2) is back, and this loop accepts none before the older one is closed.
  const dials = Array.from({ length: 64 }, () =>
    sockets.dial({ to: { ip: ip('127.0.0.1'), port: 8080 }, timeoutMs: 5000 }).then((socket) => text(socket)),
  )
  // Node connects in the next tick; this is one later.
  process.nextTick(() => older.close())
  const answers = await Promise.allSettled(dials)
  newer.close()
  return {
    reset: answers.filter(({ status }) => status === 'rejected').length,
    served: answers.filter((answer) => answer.status === 'fulfilled' && answer.value === 'newer').length,
  }
}

test.serial('a listener that prefers its newer one at the same port ends without resetting anybody', async (t) => {
  using netns = Netns.create()
  await runIp(netns, ['link set lo up'])
  t.true((await resetAtHandover(netns, false)).reset > 0, 'the kernel deals out to both')
  t.deepEqual(await resetAtHandover(netns, true), { reset: 0, served: 64 })
})

test.serial(
  'whoever prefers a newer one that does not come goes on; a third one takes over from the second',
  async (t) => {
    using netns = Netns.create()
    await runIp(netns, ['link set lo up'])
    const sockets = netnsSockets(netns)
    const listen = (word: string): Promise<Server> =>
      sockets.listen({ ip: ip('::'), port: 8080, reusePort: true, onConnection: (socket) => socket.end(word) })
    const answers = async (): Promise<ReadonlySet<string>> =>
      new Set(
        await Promise.all(
          Array.from({ length: 32 }, async () =>
            text(await sockets.dial({ to: { ip: ip('127.0.0.1'), port: 8080 }, timeoutMs: 5000 })),
          ),
        ),
      )
    const first = await listen('first')
    t.true(sockets.preferNewer(first))
    t.deepEqual(await answers(), new Set(['first']))
    const second = await listen('second')
    t.deepEqual(await answers(), new Set(['second']))
    first.close()
    t.deepEqual(await answers(), new Set(['second']))
    t.true(sockets.preferNewer(second))
    const third = await listen('third')
    t.deepEqual(await answers(), new Set(['third']))
    second.close()
    third.close()
    const alone = await sockets.listen({ ip: ip('::'), port: 8081, onConnection: (socket) => socket.end() })
    t.false(sockets.preferNewer(alone))
    alone.close()
  },
)

test.serial('datagrams go to the newer socket too', async (t) => {
  using netns = Netns.create()
  await runIp(netns, ['link set lo up'])
  const sockets = netnsSockets(netns)
  const at = { ip: ip('127.0.0.1'), port: 5300 }
  const [older, newer] = [await sockets.bindUdp(at), await sockets.bindUdp(at)]
  t.true(sockets.preferNewer(older))
  older.on('message', () => t.fail('given to the older one'))
  const got = Promise.withResolvers<undefined>()
  let count = 0
  newer.on('message', () => ++count === 32 && got.resolve(undefined))
  const clients = await Promise.all(Array.from({ length: 32 }, () => sockets.bindUdp({ ip: ip('127.0.0.1'), port: 0 })))
  for (const client of clients) client.send('x', at.port, at.ip)
  await got.promise
  for (const socket of [older, newer, ...clients]) socket.close()
  t.pass()
})
