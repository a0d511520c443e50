import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Ip, ip, systemClock } from '@ambit/core'
import type { Service, Workload } from '@ambit/state'
import { LoopbackSockets, RecordingLogger, RecordingMetrics } from '@ambit/testing'
import test from 'ava'
import fc from 'fast-check'
import { type AnswerOptions, answerQuestion } from '../src/dns/answer.ts'
import { candidatesFor } from '../src/dns/candidates.ts'
import { DnsForwarder, framed, TcpFramer } from '../src/dns/forwarder.ts'
import { encodeFormErr, encodeReply } from '../src/dns/reply.ts'
import { parseResolvConf } from '../src/dns/resolv-conf.ts'
import { DnsServer, dnsMetrics } from '../src/dns/server.ts'
import {
  decodeMessage,
  encodeMessage,
  type Message,
  parseName,
  RCODE,
  type ResourceRecord,
  TYPE,
} from '../src/dns/wire.ts'
import { parseLocalXds } from '../src/local-xds.ts'

const flags = {
  response: false,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: false,
  rcode: 0,
}

function queryFor(name: string, type: number = TYPE.A): Message {
  const question = { name: parseName(name) ?? [], type, class: 1 }
  return { id: 7, flags, questions: [question], answers: [], authorities: [], additionals: [] }
}

const label = fc.stringMatching(/^[a-z0-9-]{1,12}$/)
const name = fc.array(label, { minLength: 0, maxLength: 5 })
const record: fc.Arbitrary<ResourceRecord> = fc.oneof(
  fc.record({
    name,
    type: fc.constant<number>(TYPE.A),
    class: fc.constant(1),
    ttlSeconds: fc.nat(86400),
    data: fc.ipV4().map((text) => ({ kind: 'address' as const, ip: ip(text) })),
  }),
  fc.record({
    name,
    type: fc.constant<number>(TYPE.CNAME),
    class: fc.constant(1),
    ttlSeconds: fc.nat(86400),
    data: name.map((target) => ({ kind: 'cname' as const, name: target })),
  }),
)

test('what is encoded decodes to the same message', (t) => {
  fc.assert(
    fc.property(fc.nat(65535), name, fc.array(record, { maxLength: 20 }), (id, asked, answers) => {
      const message: Message = { ...queryFor('x'), id, questions: [{ name: asked, type: 1, class: 1 }], answers }
      t.deepEqual(decodeMessage(encodeMessage(message)), message)
    }),
  )
})

test('no bytes make the decoder throw or hang', (t) => {
  const valid = encodeMessage({
    ...queryFor('a.b.example.com'),
    answers: [
      {
        name: parseName('a.b.example.com') ?? [],
        type: 1,
        class: 1,
        ttlSeconds: 3,
        data: { kind: 'address', ip: ip('1.2.3.4') },
      },
    ],
  })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void decodeMessage(bytes)))
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, value) => {
      const bytes = Uint8Array.from(valid)
      bytes[at] = value
      decodeMessage(bytes)
      encodeFormErr(bytes)
    }),
  )
  t.pass()
})

test('a name that points at itself is malformed', (t) => {
  t.is(decodeMessage(Uint8Array.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1])), undefined)
})

test('names are compressed', (t) => {
  const owner = parseName('a.very.long.example.com') ?? []
  const answers = Array.from(
    { length: 10 },
    (): ResourceRecord => ({
      name: owner,
      type: 1,
      class: 1,
      ttlSeconds: 1,
      data: { kind: 'address', ip: ip('1.1.1.1') },
    }),
  )
  t.is(encodeMessage({ ...queryFor('a.very.long.example.com'), answers }).length, 12 + 25 + 4 + 10 * 16)
})

test('an answer that does not fit is cut and says so', (t) => {
  const answers = Array.from(
    { length: 100 },
    (): ResourceRecord => ({
      name: ['x'],
      type: 1,
      class: 1,
      ttlSeconds: 1,
      data: { kind: 'address', ip: ip('1.1.1.1') },
    }),
  )
  const reply = encodeReply(queryFor('x'), { rcode: 0, answers, limit: 512 })
  t.true(reply.length <= 512)
  t.true(decodeMessage(reply)?.flags.truncated)
})

const tried = test.macro((t, query: string, want: string[]) => {
  const path = { namespace: 'ns', clusterDomain: 'cl', searchDomains: ['ns.svc.cl', 'svc.cl', 'cl'] }
  const names = [...candidatesFor(query, path)]
    .filter(({ wildcard }) => !wildcard)
    .map(({ hostname, stripped }) => (stripped === undefined ? hostname : `${hostname} (${stripped})`))
  t.deepEqual(names, want)
})

test('one label', tried, 'web', ['web', 'web.ns.svc.cl'])
test('two labels', tried, 'web.other', ['web.other', 'web.other.svc.cl', 'web.other.ns.svc.cl'])
test('three labels ending in svc', tried, 'web.other.svc', [
  'web.other.svc',
  'web.other.svc.cl',
  'web.other.svc.svc.cl',
])
test('four labels ending in svc', tried, 'a.b.c.svc', ['a.b.c.svc', 'a.b.c.svc.cl'])
test('search domains are taken off', tried, 'api.com.svc.cl', [
  'api.com.svc.cl',
  'api.com (api.com)',
  'api.com.svc.cl (api.com)',
  'api.com.ns.svc.cl (api.com)',
  'api.com.svc (api.com.svc)',
  'api.com.svc.cl (api.com.svc)',
  'api.com.svc.svc.cl (api.com.svc)',
])

test('wildcards follow each candidate, most specific first', (t) => {
  const path = { namespace: 'ns', clusterDomain: 'cl', searchDomains: [] }
  t.deepEqual(
    [...candidatesFor('a.b.c.d.e', path)].map(({ hostname }) => hostname),
    ['a.b.c.d.e', '*.b.c.d.e', '*.c.d.e', '*.d.e', '*.e'],
  )
})

const { services, workloads } = parseLocalXds(`
services:
- {name: web, namespace: ns, hostname: web.ns.svc.cluster.local, vips: ["/10.0.0.1"], ports: {80: 8080}}
- {name: web, namespace: other, hostname: shared.example.com, vips: ["/10.0.0.2"], canonical: true}
- {name: web, namespace: ns, hostname: shared.example.com, vips: ["/10.0.0.3"]}
- {name: wild, namespace: ns, hostname: "*.wild.example.com", vips: ["/10.0.0.4"]}
- {name: hidden, namespace: other, hostname: hidden.example.com, vips: ["/10.0.0.5"], visibility: Namespace}
- {name: headless, namespace: ns, hostname: headless.ns.svc.cluster.local}
- {name: v6, namespace: ns, hostname: v6.ns.svc.cluster.local, vips: ["/10.0.0.6", "/fd00::6"], ipFamilies: IPv6}
workloads:
- {name: c, namespace: ns, serviceAccount: c, uid: c, workloadIps: [10.1.0.1, "fd00::1"], services: {}}
- {name: d, namespace: ns, serviceAccount: d, uid: d, workloadIps: [10.1.0.2], services: {}}
`)
const client = workloads[0] as Workload
const directory = {
  servicesByHostname: (hostname: string): readonly Service[] =>
    services.filter((service) => service.hostname === hostname),
  endpointWorkloads: (service: Service): readonly Workload[] => (service.name === 'headless' ? workloads : []),
}
const options: AnswerOptions = {
  network: '',
  clusterDomain: 'cluster.local',
  preferredNamespace: undefined,
  ipv6Enabled: true,
  searchDomains: undefined,
  random: () => 0.999,
}

const answered = test.macro((t, query: string, type: number, want: string[] | 'forward') => {
  const question = { name: parseName(query) ?? [], type, class: 1 }
  const answer = answerQuestion(question, client, directory, options)
  const found =
    answer.kind === 'forward'
      ? 'forward'
      : answer.records.map(
          ({ name: owner, data }) =>
            `${owner.join('.')} ${data.kind === 'address' ? data.ip : data.kind === 'cname' ? data.name.join('.') : ''}`,
        )
  t.deepEqual(found, want)
})

test('a service by its full name', answered, 'web.ns.svc.cluster.local', TYPE.A, ['web.ns.svc.cluster.local 10.0.0.1'])
test('letter case does not matter and is kept', answered, 'WEB.ns', TYPE.A, ['WEB.ns 10.0.0.1'])
test('a known name in another family is empty, not forwarded', answered, 'web.ns', TYPE.AAAA, [])
test('other types are forwarded', answered, 'web.ns', 16, 'forward')
test('unknown names are forwarded', answered, 'example.org', TYPE.A, 'forward')
test("the client's namespace wins over canonical", answered, 'shared.example.com', TYPE.A, [
  'shared.example.com 10.0.0.3',
])
test('a stripped name gets a CNAME', answered, 'shared.example.com.ns.svc.cluster.local', TYPE.A, [
  'shared.example.com.ns.svc.cluster.local shared.example.com',
  'shared.example.com 10.0.0.3',
])
test('a wildcard answers without a CNAME', answered, 'x.wild.example.com.cluster.local', TYPE.A, [
  'x.wild.example.com.cluster.local 10.0.0.4',
])
test('a hidden service does not exist', answered, 'hidden.example.com', TYPE.A, 'forward')
test('headless services list their endpoints', answered, 'headless.ns', TYPE.A, [
  'headless.ns 10.1.0.1',
  'headless.ns 10.1.0.2',
])
test('headless endpoints without the family are left out', answered, 'headless.ns', TYPE.AAAA, ['headless.ns fd00::1'])
test('a disabled family is empty', answered, 'v6.ns', TYPE.A, [])

test('resolv.conf: three servers, one search list', (t) => {
  t.deepEqual(
    parseResolvConf('# c\nnameserver 10.0.0.10\nnameserver ::1\nnameserver x\nsearch A.B. c\noptions ndots:5\n'),
    {
      nameservers: [ip('10.0.0.10'), ip('::1')],
      search: ['a.b', 'c'],
    },
  )
})

test('a DNS stream is cut into its messages wherever it is split', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }), fc.nat(10), (messages, step) => {
      const stream = Buffer.concat(messages.map((message) => framed(message)))
      const framer = new TcpFramer()
      const found: number[][] = []
      for (let at = 0; at < stream.length; at += step + 1)
        for (const message of framer.push(stream.subarray(at, at + step + 1))) found.push([...message])
      t.deepEqual(
        found,
        messages.map((message) => [...message]),
      )
    }),
  )
})

async function startServer(nameserver: { ip: Ip; port: number }) {
  const sockets = new LoopbackSockets()
  const metrics = new RecordingMetrics()
  const server = await DnsServer.start(
    {
      sockets,
      directory,
      forwarder: new DnsForwarder(
        { sockets, clock: systemClock },
        { nameservers: [nameserver], attemptTimeoutMs: 200, deadlineMs: 300 },
      ),
      client: () => Promise.resolve(client),
      metrics: dnsMetrics(metrics),
      clock: systemClock,
      logger: new RecordingLogger(),
    },
    { ...options, port: 0, addresses: [ip('127.0.0.1')] },
  )
  const [bound] = server.bound
  const ask = async (query: Message): Promise<Message | undefined> => {
    const socket = createSocket('udp4')
    socket.send(encodeMessage(query), bound?.port ?? 0, '127.0.0.1')
    const [bytes] = (await once(socket, 'message')) as [Buffer]
    socket.close()
    return decodeMessage(bytes)
  }
  return { server, ask }
}

test('the server answers what it owns, forwards the rest with its id, and says SERVFAIL when nobody answers', async (t) => {
  const upstream = createSocket('udp4')
  upstream.bind(0, '127.0.0.1')
  await once(upstream, 'listening')
  upstream.on('message', (bytes: Buffer, from) => {
    const query = decodeMessage(bytes)
    if (query === undefined || query.questions[0]?.name[0] === 'silent') return
    upstream.send(
      encodeReply(query, { rcode: RCODE.NXDOMAIN, authoritative: true, limit: 512 }),
      from.port,
      from.address,
    )
  })
  const { server, ask } = await startServer({ ip: ip('127.0.0.1'), port: upstream.address().port })
  await using _ = server
  const own = await ask(queryFor('web.ns'))
  t.true(own?.flags.authoritative)
  t.deepEqual(own?.answers[0]?.data, { kind: 'address', ip: ip('10.0.0.1') })
  t.is(own?.answers[0]?.ttlSeconds, 30)
  const passed = await ask(queryFor('example.org'))
  t.like(passed, { id: 7, flags: { rcode: RCODE.NXDOMAIN, authoritative: false } })
  t.is((await ask(queryFor('silent.example.org')))?.flags.rcode, RCODE.SERVFAIL)
  t.is((await ask({ ...queryFor('x'), flags: { ...flags, opcode: 5 } }))?.flags.rcode, RCODE.NOTIMP)
  upstream.close()
})

test('what was asked before the end is answered before the end', async (t) => {
  const upstream = createSocket('udp4')
  upstream.bind(0, '127.0.0.1')
  await once(upstream, 'listening')
  const asked = once(upstream, 'message') as Promise<[Buffer, { port: number; address: string }]>
  const { server, ask } = await startServer({ ip: ip('127.0.0.1'), port: upstream.address().port })
  const answer = ask(queryFor('example.org'))
  const [bytes, from] = await asked
  // Sent to the server, and not read by it yet.
  const socket = createSocket('udp4')
  const own = once(socket, 'message') as Promise<[Buffer]>
  const [bound] = server.bound
  await new Promise((resolve) => socket.send(encodeMessage(queryFor('web.ns')), bound?.port ?? 0, '127.0.0.1', resolve))
  const closed = server.close()
  const query = decodeMessage(bytes)
  if (query === undefined) throw new Error('the forwarded query is none')
  upstream.send(encodeReply(query, { rcode: RCODE.NXDOMAIN, limit: 512 }), from.port, from.address)
  t.is((await answer)?.flags.rcode, RCODE.NXDOMAIN)
  t.is(decodeMessage((await own)[0])?.answers.length, 1)
  await closed
  socket.close()
  upstream.close()
})
