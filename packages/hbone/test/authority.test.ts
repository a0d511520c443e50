import { formatSocketAddress, ip } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { parseAuthority } from '../src/index.ts'

const port = fc.integer({ min: 1, max: 65535 })

test('every IPv4 and IPv6 address with a port is read back', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (address, number) => {
      const canonical = ip(address)
      t.deepEqual(parseAuthority(formatSocketAddress({ ip: canonical, port: number })), {
        kind: 'address',
        ip: canonical,
        port: number,
      })
    }),
  )
})

test('every host name with a port is read back', (t) => {
  fc.assert(
    fc.property(fc.domain(), port, (hostname, number) => {
      t.deepEqual(parseAuthority(`${hostname}:${number}`), {
        kind: 'hostname',
        hostname: hostname.toLowerCase(),
        port: number,
      })
    }),
  )
})

for (const text of [
  '',
  ':',
  ':80',
  'host',
  'host:',
  'host:0',
  'host:65536',
  'host:080',
  'host:+80',
  'host: 80',
  'host:80 ',
  '10.0.0.1',
  '10.0.0.1:0',
  '10.0.0.256:80',
  '1:80',
  '::1:80',
  '[::1]',
  '[::1]80',
  '[10.0.0.1]:80',
  '[::1%eth0]:80',
  'user@host:80',
  'http://host:80',
  'host/path:80',
  'ho st:80',
  'host\0:80',
  '-host:80',
  `${'a'.repeat(600)}:80`,
]) {
  test(`${JSON.stringify(text.slice(0, 20))} is no authority`, (t) => {
    t.is(parseAuthority(text), undefined)
  })
}

test('an IPv4-mapped address is the IPv4 address', (t) => {
  t.deepEqual(parseAuthority('[::ffff:10.0.0.1]:80'), { kind: 'address', ip: ip('10.0.0.1'), port: 80 })
})

test('arbitrary text never throws and never yields a port out of range', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const authority = parseAuthority(text)
      return authority === undefined || (authority.port > 0 && authority.port <= 65535)
    }),
  )
  t.pass()
})
