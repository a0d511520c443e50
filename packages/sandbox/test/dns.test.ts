import { ip } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { decodeQuery, encodeAnswer, RCODE, TYPE } from '../src/dns/message.ts'
import { answerQuery, reverseAddress, type ZoneSource } from '../src/dns/zone.ts'
import type { EndpointSlice, Service } from '../src/objects/cluster.types.ts'

function query(name: string, type: number, edns = false): Buffer {
  const header = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns ? 1 : 0])
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)])
  const opt = edns ? Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]) : Buffer.alloc(0)
  return Buffer.concat([header, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1]), opt])
}

const web: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'demo' },
  spec: { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00::7'], ports: [{ name: 'http', port: 80 }] },
}
const db: Service = {
  ...web,
  metadata: { name: 'db', namespace: 'demo' },
  spec: { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] },
}
const out: Service = {
  ...web,
  metadata: { name: 'out', namespace: 'demo' },
  spec: { type: 'ExternalName', externalName: 'example.com' },
}
const slice: EndpointSlice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'db-1', namespace: 'demo', labels: { 'kubernetes.io/service-name': 'db' } },
  addressType: 'IPv4',
  ports: [{ name: 'sql', port: 5432 }],
  endpoints: [
    { addresses: ['10.244.1.2'], conditions: { ready: true }, hostname: 'db-0' },
    { addresses: ['10.244.1.3'], conditions: { ready: true } },
    { addresses: ['10.244.1.4'], conditions: { ready: false } },
  ],
}
const near: Service = {
  ...web,
  metadata: { name: 'near', namespace: 'demo' },
  spec: { type: 'ExternalName', externalName: 'web.demo.svc.cluster.local' },
}
const loop: Service = {
  ...web,
  metadata: { name: 'loop', namespace: 'demo' },
  spec: { type: 'ExternalName', externalName: 'loop.demo.svc.cluster.local' },
}
const all = [web, db, out, near, loop]
const source: ZoneSource = {
  domain: 'cluster.local',
  serial: 1,
  service: (namespace, name) => all.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  services: () => all,
  slices: (namespace, service) => (namespace === 'demo' && service === 'db' ? [slice] : []),
  allSlices: () => [slice],
  hasNamespace: (name) => name === 'demo',
}

const answers = test.macro({
  exec(t, name: string, type: number, values: readonly unknown[], rcode: number = RCODE.ok) {
    const answer = answerQuery(name, type, source)
    t.is(answer.rcode, rcode)
    t.deepEqual(
      answer.answers.map((record) => ('ip' in record ? record.ip : 'target' in record ? record.target : record.type)),
      values as string[],
    )
    t.is(answer.authority.length, values.length === 0 ? 1 : 0)
  },
  title: (_, name: string, type: number) => `${name} type ${type}`,
})

test(answers, 'web.demo.svc.cluster.local', TYPE.A, ['10.96.0.7'])
test(answers, 'web.demo.svc.cluster.local', TYPE.AAAA, ['fd00::7'])
test(answers, 'web.demo.svc.cluster.local', TYPE.SRV, [])
test(answers, 'db.demo.svc.cluster.local', TYPE.A, ['10.244.1.2', '10.244.1.3'])
test(answers, 'db-0.db.demo.svc.cluster.local', TYPE.A, ['10.244.1.2'])
test(answers, '_sql._tcp.db.demo.svc.cluster.local', TYPE.SRV, [
  'db-0.db.demo.svc.cluster.local',
  '10-244-1-3.db.demo.svc.cluster.local',
])
test(answers, '_http._tcp.web.demo.svc.cluster.local', TYPE.SRV, ['web.demo.svc.cluster.local'])
test(answers, 'out.demo.svc.cluster.local', TYPE.A, ['example.com'])
test(answers, 'near.demo.svc.cluster.local', TYPE.A, ['web.demo.svc.cluster.local', '10.96.0.7'])
test(answers, 'near.demo.svc.cluster.local', TYPE.CNAME, ['web.demo.svc.cluster.local'])
test(answers, '10-244-1-4.db.demo.svc.cluster.local', TYPE.A, [], RCODE.nameError)
test(answers, '10-244-9-9.demo.pod.cluster.local', TYPE.A, ['10.244.9.9'])
test(answers, 'fd00--9.demo.pod.cluster.local', TYPE.AAAA, ['fd00::9'])
test(answers, '10-244-9-9.nowhere.pod.cluster.local', TYPE.A, [], RCODE.nameError)
test(answers, 'nonsense.demo.pod.cluster.local', TYPE.A, [], RCODE.nameError)
test(answers, 'dns-version.cluster.local', TYPE.TXT, ['TXT'])
test(answers, '2.1.244.10.in-addr.arpa', TYPE.PTR, ['db-0.db.demo.svc.cluster.local'])
test(answers, '3.1.244.10.in-addr.arpa', TYPE.PTR, [], RCODE.nameError)
test(answers, 'nothing.demo.svc.cluster.local', TYPE.A, [], RCODE.nameError)
test(answers, 'demo.svc.cluster.local', TYPE.A, [])
test(answers, 'example.com', TYPE.A, [], RCODE.nameError)
test(answers, 'web.demo.svc.cluster.local.demo.svc.cluster.local', TYPE.A, [], RCODE.nameError)
test(answers, '7.0.96.10.in-addr.arpa', TYPE.PTR, ['web.demo.svc.cluster.local'])
test(answers, '8.0.96.10.in-addr.arpa', TYPE.PTR, [], RCODE.nameError)

test('names that lead in a circle are followed so far and no further', (t) => {
  t.true(answerQuery('loop.demo.svc.cluster.local', TYPE.A, source).answers.length <= 9)
})

test('the targets of a SRV answer come with their addresses', (t) => {
  const { additional } = answerQuery('_sql._tcp.db.demo.svc.cluster.local', TYPE.SRV, source)
  t.deepEqual(
    additional.map((record) => `${record.name} ${'ip' in record ? record.ip : ''}`),
    ['db-0.db.demo.svc.cluster.local 10.244.1.2', '10-244-1-3.db.demo.svc.cluster.local 10.244.1.3'],
  )
})

test('reverse names of both families', (t) => {
  t.is(reverseAddress('4.3.2.1.in-addr.arpa'), ip('1.2.3.4'))
  t.is(reverseAddress(`1.${'0.'.repeat(30)}0.ip6.arpa`), ip('::1'))
  t.is(reverseAddress('x.ip6.arpa'), undefined)
})

test('a query keeps its letter case in the answer and tells its EDNS size', (t) => {
  const decoded = decodeQuery(query('WeB.demo', TYPE.A, true))
  if (decoded === undefined || !('question' in decoded)) throw new Error('not decoded')
  t.is(decoded.question.name, 'web.demo')
  t.is(decoded.question.udpSize, 4096)
  const answer = encodeAnswer(
    decoded.question,
    { rcode: 0, answers: [{ name: 'web.demo', ttl: 5, type: 'A', ip: ip('1.2.3.4') }], authority: [], additional: [] },
    512,
  )
  t.true(answer.includes('WeB'))
  t.is(answer.readUInt16BE(6), 1)
})

test('an answer that is too long is cut and marked', (t) => {
  const decoded = decodeQuery(query('web.demo', TYPE.A))
  if (decoded === undefined || !('question' in decoded)) throw new Error('not decoded')
  const many = Array.from({ length: 100 }, (_, i) => ({
    name: 'web.demo',
    ttl: 5,
    type: 'A' as const,
    ip: ip(`10.0.0.${i}`),
  }))
  const answer = encodeAnswer(decoded.question, { rcode: 0, answers: many, authority: [], additional: [] }, 512)
  t.true(answer.length <= 512)
  t.is(answer.readUInt16BE(2) & 0x200, 0x200)
})

test('no message makes the decoder throw', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void decodeQuery(bytes)))
  fc.assert(
    fc.property(fc.nat(40), fc.nat(255), (at, value) => {
      const message = query('web.demo.svc.cluster.local', TYPE.A, true)
      message[at] = value
      decodeQuery(message)
    }),
  )
  t.pass()
})
