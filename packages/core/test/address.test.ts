import test from 'ava'
import fc from 'fast-check'
import {
  cidrContains,
  formatSocketAddress,
  ip,
  ipFamily,
  ipFromBytes,
  ipToBytes,
  parseCidr,
  parseIp,
  parsePort,
  parseSocketAddress,
} from '../src/index.ts'

const canonical = test.macro({
  title: (_, text: string, want: string | undefined) => `${text} is ${want ?? 'no address'}`,
  exec: (t, text: string, want: string | undefined) =>
    t.is<string | undefined, string | undefined>(parseIp(text), want),
})

test(canonical, '10.0.0.1', '10.0.0.1')
test(canonical, '::ffff:10.0.0.1', '10.0.0.1')
test(canonical, '::FFFF:0A00:0001', '10.0.0.1')
test(canonical, 'FD00:0:0:0:0:0:0:1', 'fd00::1')
test(canonical, '2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1')
test(canonical, '2001:0:0:1:0:0:0:1', '2001:0:0:1::1')
test(canonical, '::', '::')
test(canonical, '010.0.0.1', undefined)
test(canonical, 'fe80::1%eth0', undefined)
test(canonical, '', undefined)
test(canonical, '1.2.3', undefined)

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })

test('every address survives bytes and text', (t) => {
  fc.assert(
    fc.property(fc.oneof(octets(4), octets(16)), (bytes) => {
      const address = ipFromBytes(bytes)
      t.truthy(address)
      if (address === undefined) return
      t.is(parseIp(address), address)
      t.is(ipFromBytes(ipToBytes(address)), address)
      t.is(ipFamily(address), ipToBytes(address).length === 4 ? 4 : 6)
    }),
  )
})

test('bytes of any other length are no address', (t) => {
  t.is(ipFromBytes(new Uint8Array(0)), undefined)
  t.is(ipFromBytes(new Uint8Array(5)), undefined)
})

test('a socket address survives its text', (t) => {
  fc.assert(
    fc.property(fc.oneof(octets(4), octets(16)), fc.nat(65535), (bytes, port) => {
      const address = { ip: ip(String(ipFromBytes(bytes))), port }
      t.deepEqual(parseSocketAddress(formatSocketAddress(address)), address)
    }),
  )
})

for (const text of ['::1:80', '1.2.3.4', '1.2.3.4:', '1.2.3.4:99999', '[1.2.3.4]:80', 'host:80', '1.2.3.4:+80', '']) {
  test(`${JSON.stringify(text)} is no socket address`, (t) => t.is(parseSocketAddress(text), undefined))
}

test('no text makes the parsers throw', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      t.notThrows(() => [parseIp(text), parseSocketAddress(text), parseCidr(text), parsePort(text)])
    }),
  )
})

const contains = test.macro({
  title: (_, network: string, address: string, want: boolean) =>
    `${network} ${want ? 'holds' : 'does not hold'} ${address}`,
  exec: (t, network: string, address: string, want: boolean) => {
    const cidr = parseCidr(network)
    t.truthy(cidr)
    if (cidr !== undefined) t.is(cidrContains(cidr, ip(address)), want)
  },
})

test(contains, '10.0.0.0/8', '10.255.0.1', true)
test(contains, '10.0.0.0/8', '11.0.0.1', false)
test(contains, '10.1.0.0/12', '10.15.255.255', true)
test(contains, '10.1.0.0/12', '10.16.0.0', false)
test(contains, '0.0.0.0/0', '::1', false)
test(contains, '::/0', 'fd00::1', true)
test(contains, 'fd00::/7', 'fc00::1', true)
test(contains, '10.0.0.1', '10.0.0.1', true)

for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/-1', '10.0.0.0/', '/8', '10.0.0.0/08']) {
  test(`${text} is no network`, (t) => t.is(parseCidr(text), undefined))
}
