import { ip } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { concerns, describePacket, parseTcpPacket } from '../src/programs/tcp-packet.ts'

const tcp = (bits: number, payload: string): number[] => [
  ...[0x1f, 0x90, 0x3a, 0xa0],
  ...[0, 0, 0, 1, 0, 0, 0, 0],
  ...[0x50, bits, 0, 0, 0, 0, 0, 0],
  ...Buffer.from(payload),
]

const ipv4 = (segment: number[], protocol = 6): Uint8Array =>
  Uint8Array.from([
    0x45,
    0,
    0,
    20 + segment.length,
    0,
    0,
    0,
    0,
    64,
    protocol,
    0,
    0,
    10,
    0,
    0,
    1,
    10,
    0,
    0,
    2,
    ...segment,
  ])

test('a segment is described with addresses, ports, flags and payload', (t) => {
  const packet = parseTcpPacket(ipv4(tcp(0x18, 'GET /\r')))
  t.truthy(packet)
  if (packet === undefined) return
  t.is(describePacket(packet), 'IP 10.0.0.1.8080 > 10.0.0.2.15008: Flags [P.], length 6\nGET /.')
  t.true(concerns(packet, ip('10.0.0.2')))
  t.false(concerns(packet, ip('10.0.0.3')))
})

test('padding behind the packet is no payload', (t) => {
  t.is(parseTcpPacket(Uint8Array.from([...ipv4(tcp(0x02, '')), 1, 2, 3]))?.payload.length, 0)
})

test('what is not TCP is nothing', (t) => {
  t.is(parseTcpPacket(ipv4(tcp(0x02, ''), 17)), undefined)
  t.is(parseTcpPacket(new Uint8Array(0)), undefined)
})

test('no bytes make it throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      t.notThrows(() => parseTcpPacket(bytes))
    }),
  )
})
