import { ipFromBytes } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { controlSpace, decodeRights, encodeRights } from '../src/message-header.ts'
import { parseAttributes, parseNetlink } from '../src/netlink.ts'
import { decodeSockaddr, encodeSockaddr, encodeUnixAddress } from '../src/sockaddr.ts'
import { spoofedPorts } from '../src/spoofed-ports.ts'

const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map((bytes) => ipFromBytes(bytes)!)

test('a socket address survives encoding', (t) => {
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 65535 }), (ip, port) => {
      t.deepEqual(decodeSockaddr(encodeSockaddr(ip, port)), { ip, port })
    }),
  )
})

test('a v4-mapped address from the kernel reads as IPv4', (t) => {
  const bytes = Buffer.from('0a001f90000000000000000000000000000000000000ffff0a000001'.padEnd(56, '0'), 'hex')
  bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1], 8)
  t.deepEqual(decodeSockaddr(bytes), { ip: '10.0.0.1', port: 8080 } as never)
})

test('no bytes make the socket address reader throw', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 28 }), (bytes) => void decodeSockaddr(bytes)))
  t.pass()
})

test('descriptors survive encoding', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0x7fffffff }), { maxLength: 16 }), (fds) => {
      const control = encodeRights(fds)
      t.deepEqual(decodeRights(control, control.length), fds)
    }),
  )
})

test('no control bytes make the reader throw or loop', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: controlSpace(16) }), (bytes) => {
      const buffer = Buffer.from(bytes)
      decodeRights(buffer, buffer.length)
    }),
  )
  t.pass()
})

test('spoofed ports go round from 1024 to 32767', (t) => {
  const next = spoofedPorts(() => 0)
  const round = Array.from({ length: 32767 - 1024 + 1 }, next)
  t.is(round[0], 1024)
  t.is(round.at(-1), 32767)
  t.is(new Set(round).size, round.length)
  t.is(next(), 1024)
})

test('a unix path that does not fit is refused', (t) => {
  t.throws(() => encodeUnixAddress('x'.repeat(108)), { instanceOf: RangeError })
  t.is(encodeUnixAddress('x'.repeat(107)).length, 110)
})

test('no bytes make the netlink readers throw or loop', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 16 }), (bytes, offset) => {
      parseNetlink(Buffer.from(bytes))
      parseAttributes(Buffer.from(bytes), offset)
    }),
  )
  t.pass()
})
