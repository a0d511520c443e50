import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ip, systemClock } from '@ambit/core'
import type { Denial } from '@ambit/policy'
import { PolicyStore, type Workload, WorkloadStore } from '@ambit/state'
import { FakeClock, LoopbackSockets, RecordingLogger, RecordingMetrics, settle } from '@ambit/testing'
import test from 'ava'
import { type ConnectionRow, Connections } from '../src/connections.ts'
import { framed, TcpFramer } from '../src/dns/forwarder.ts'
import { parseResolvConf } from '../src/dns/resolv-conf.ts'
import { DnsServer, dnsMetrics } from '../src/dns/server.ts'
import { decodeMessage, encodeMessage, MAX_RECORDS, type Message, parseName, RCODE, TYPE } from '../src/dns/wire.ts'
import { ConnectionFailure, deniedAtStart } from '../src/failures.ts'
import {
  DNS_MAX_IN_FLIGHT,
  DNS_MAX_TCP_CONNECTIONS,
  LOCAL_WORKLOAD_WAIT_MS,
  MAX_CONNECTIONS_PER_POD,
  MAX_DUMPED_CONNECTIONS,
  MAX_FAILURE_TEXT,
  MAX_LOCAL_WORKLOAD_WAITERS,
  MAX_PODS,
  MAX_POLICIES_IN_LOG,
} from '../src/limits.ts'
import { LocalWorkload } from '../src/local-workload.ts'
import { PodProxies } from '../src/pod-proxies.ts'
import type { PodProxy } from '../src/pod-proxy.ts'
import { Rejudging } from '../src/rejudging.ts'

const LOOPBACK = ip('127.0.0.1')
const ROW: ConnectionRow = {
  source: { ip: LOOPBACK, port: 1 },
  originalDestination: undefined,
  actualDestination: { ip: LOOPBACK, port: 2 },
  protocol: 'TCP',
  bytes: { fromDownstream: 0, toDownstream: 0 },
}

test('a pod has room for so many connections of a direction, and again when one ends', (t) => {
  const connections = new Connections({
    policies: new PolicyStore(),
    currentWorkload: () => undefined,
    clock: systemClock,
    logger: new RecordingLogger(),
    rejudging: new Rejudging(),
  })
  const held = Array.from({ length: MAX_CONNECTIONS_PER_POD }, () => connections.trackOutbound(ROW, () => undefined))
  t.false(connections.hasRoom('outbound'))
  t.true(connections.hasRoom('inbound'))
  t.is(connections.dump().outbound.length, MAX_DUMPED_CONNECTIONS)
  held[0]?.release()
  t.true(connections.hasRoom('outbound'))
})

const CLIENT = { namespace: 'ns', canonicalName: 'a', canonicalRevision: 'v1' } as unknown as Workload

async function startDns(forward: () => Promise<Uint8Array>) {
  const sockets = new LoopbackSockets()
  const udp: UdpSocket[] = []
  const bindUdp = sockets.bindUdp.bind(sockets)
  sockets.bindUdp = async (address) => {
    const socket = await bindUdp(address)
    udp.push(socket)
    return socket
  }
  const server = await DnsServer.start(
    {
      sockets,
      directory: { servicesByHostname: () => [], endpointWorkloads: () => [] },
      forwarder: { forward },
      client: () => Promise.resolve(CLIENT),
      metrics: dnsMetrics(new RecordingMetrics()),
      clock: systemClock,
      logger: new RecordingLogger(),
    },
    {
      network: '',
      clusterDomain: 'cluster.local',
      preferredNamespace: undefined,
      ipv6Enabled: true,
      searchDomains: undefined,
      random: () => 0,
      port: 0,
      addresses: [LOOPBACK],
    },
  )
  const tcp = sockets.listener(server.bound[0]?.port ?? 0)
  const dial = async (): Promise<Socket> => {
    const socket = connect(tcp?.port ?? 0, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }
  return { server, dial, udp }
}

const MESSAGE: Message = {
  id: 7,
  flags: {
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    rcode: 0,
  },
  questions: [{ name: parseName('example.com') ?? [], type: 1, class: 1 }],
  answers: [],
  authorities: [],
  additionals: [],
}
const QUERY = framed(encodeMessage(MESSAGE))

test('DNS connections of a pod above the limit are closed, and room is made when one ends', async (t) => {
  const { server, dial } = await startDns(() => Promise.reject(new Error('no name server')))
  await using _server = server
  const open: Socket[] = []
  for (let i = 0; i < DNS_MAX_TCP_CONNECTIONS; i++) open.push(await dial())
  const refused = await dial()
  await once(refused, 'close')
  const [first] = open
  first?.end()
  first?.resume()
  await once(first ?? refused, 'close')
  const later = await dial()
  later.write(QUERY)
  t.is(((await once(later, 'data')) as [Buffer])[0].readUInt16BE(2), 7)
  for (const socket of [...open, later]) socket.destroy()
})

test('a query from UDP port 0 has nobody to answer and harms nobody', async (t) => {
  const { server, udp } = await startDns(() => Promise.reject(new Error('no name server')))
  await using _server = server
  const [bound] = udp
  // Only a raw socket can send this for real, so the kernel's report of it is made up here.
  for (const bytes of [encodeMessage(MESSAGE), Buffer.alloc(12)]) {
    bound?.emit('message', Buffer.from(bytes), { address: '127.0.0.1', family: 'IPv4', port: 0, size: bytes.length })
  }
  await settle()
  const client = createSocket('udp4')
  client.send(encodeMessage(MESSAGE), server.bound[0]?.port ?? 0, '127.0.0.1')
  const [answer] = (await once(client, 'message')) as [Buffer]
  t.is(decodeMessage(answer)?.flags.rcode, RCODE.SERVFAIL)
  client.close()
})

test('DNS queries of a pod beyond those being worked on are answered SERVFAIL at once', async (t) => {
  const never = Promise.withResolvers<Uint8Array>()
  const { server, dial } = await startDns(() => never.promise)
  await using _server = server
  const socket = await dial()
  socket.write(Buffer.concat(Array.from({ length: DNS_MAX_IN_FLIGHT + 1 }, () => QUERY)))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  const reply = decodeMessage(answer.subarray(2, 2 + answer.readUInt16BE(0)))
  t.is(reply?.flags.rcode, RCODE.SERVFAIL)
  t.is(answer.length, 2 + answer.readUInt16BE(0), 'one query is refused, the others wait')
  socket.destroy()
})

test('pods above the limit are refused by name of the limit', async (t) => {
  const proxy = { close: () => Promise.resolve() } as unknown as PodProxy
  const proxies = new PodProxies({
    start: () => Promise.resolve(proxy),
    metrics: new RecordingMetrics(),
    clock: new FakeClock(),
    logger: new RecordingLogger(),
    onReady: () => undefined,
  })
  const add = (uid: string): Promise<string | undefined> =>
    proxies.add(uid, { name: 'p', namespace: 'n', serviceAccount: 's' }, { id: uid, [Symbol.dispose]: () => undefined })
  proxies.beginSnapshot()
  for (let i = 0; i < MAX_PODS; i++) t.is(await add(String(i)), undefined)
  t.regex((await add('more')) ?? '', new RegExp(`more than ${MAX_PODS} pods`))
})

test('so many connections wait for the workload of their pod, and others when the wait is over', async (t) => {
  const clock = new FakeClock()
  const local = new LocalWorkload(new WorkloadStore({ clock }), { name: 'p', namespace: 'n', serviceAccount: 's' })
  const waiting = Array.from({ length: MAX_LOCAL_WORKLOAD_WAITERS }, () => t.throwsAsync(local.get()))
  await t.throwsAsync(local.get(), { code: 'too-many-connections' })
  await clock.advance(LOCAL_WORKLOAD_WAIT_MS)
  await Promise.all(waiting)
  const later = t.throwsAsync(local.get(), { code: 'unknown-local-workload' })
  await clock.advance(LOCAL_WORKLOAD_WAIT_MS)
  await later
})

test('what a peer or a policy writer says fits into a log line', (t) => {
  const { message } = new ConnectionFailure('internal', 'x'.repeat(MAX_FAILURE_TEXT * 2))
  t.is(message.length, MAX_FAILURE_TEXT + '...'.length)
  const unmatched = Array.from({ length: MAX_POLICIES_IN_LOG + 1 }, (_, index) => `ns/p${index}`)
  const { policies } = deniedAtStart({ allowed: false, reason: 'r', unmatched } as unknown as Denial)
  t.is(policies, `${unmatched.slice(0, MAX_POLICIES_IN_LOG).join(',')},...`)
})

test('a DNS message with more records than the limit is not read', (t) => {
  const answer = { name: [], type: TYPE.A, class: 1, ttlSeconds: 1, data: { kind: 'address', ip: LOOPBACK } } as const
  const answers = (count: number) => encodeMessage({ ...MESSAGE, answers: Array.from({ length: count }, () => answer) })
  t.is(decodeMessage(answers(MAX_RECORDS - 1))?.answers.length, MAX_RECORDS - 1)
  t.is(decodeMessage(answers(MAX_RECORDS + 1)), undefined)
})

test('of many name servers the first three are asked', (t) => {
  const lines = [1, 2, 3, 4].map((last) => `nameserver 10.0.0.${last}\n`).join('')
  t.deepEqual(parseResolvConf(lines).nameservers, [ip('10.0.0.1'), ip('10.0.0.2'), ip('10.0.0.3')])
})

test('a pod that asks by TCP and does not read is not asked for more, and gets every answer once it reads', async (t) => {
  const queries = 50_000
  let asked = 0
  const { server, dial } = await startDns(() => {
    asked++
    return Promise.resolve(new Uint8Array(60_000))
  })
  await using _server = server
  const socket = await dial()
  socket.write(Buffer.concat(Array.from({ length: queries }, () => QUERY)))
  let before = -1
  for (let quiet = 0; quiet < 50; quiet = before === asked ? quiet + 1 : 0) {
    before = asked
    await settle()
  }
  t.true(asked > 0)
  t.true(asked < 5 * DNS_MAX_IN_FLIGHT, `${asked} queries were worked on for nobody`)
  const framer = new TcpFramer()
  let answers = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    answers += [...framer.push(chunk)].length
    if (answers === queries) break
  }
  t.is(answers, queries)
})
