import { cidrContains, ip } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import type { Service } from '../src/index.ts'
import { NetworkTable } from '../src/network-table.ts'
import { VipIndex } from '../src/vip-index.ts'

const anyAddress = fc
  .constantFrom(
    '0.0.0.0',
    '10.0.0.1',
    '10.0.0.2',
    '10.128.0.1',
    '255.255.255.255',
    '::',
    'fd00::1',
    'fd00::3',
    'fd80::1',
  )
  .map(ip)
const anyCidr = anyAddress.chain((address) =>
  fc.integer({ min: 0, max: address.includes(':') ? 128 : 32 }).map((length) => ({ ip: address, length })),
)

test('a table of networks finds those around an address, those of one length in the order they came', (t) => {
  const property = fc.property(
    fc.array(fc.tuple(anyCidr, fc.boolean()), { maxLength: 20 }),
    fc.array(anyAddress, { minLength: 1 }),
    (networks, asked) => {
      const table = new NetworkTable<number>()
      for (const [id, [cidr]] of networks.entries()) table.add(cidr, id)
      for (const [id, [cidr, stays]] of networks.entries()) if (!stays) table.remove(cidr, id)
      t.is(
        table.isEmpty,
        networks.every(([, stays]) => !stays),
      )
      const lengthOf = (id: number): number => networks[id]?.[0].length ?? -1
      for (const address of asked) {
        const found: number[] = []
        table.collect(address, found)
        const expected = [...networks.entries()].filter(([, [cidr, stays]]) => stays && cidrContains(cidr, address))
        const byLength = (ids: number[]): number[] => ids.toSorted((a, b) => lengthOf(a) - lengthOf(b))
        t.deepEqual(byLength(found), byLength(expected.map(([id]) => id)))
      }
    },
  )
  fc.assert(property, { numRuns: 500 })
})

const range = (name: string, network: string, cidr: { ip: ReturnType<typeof ip>; length: number }): Service =>
  ({
    name,
    namespace: 'n',
    hostname: name,
    vips: [],
    cidrVips: [{ network, cidr }],
    visibility: 'Public',
    canonical: false,
  }) as unknown as Service

test('of thousands of ranges the narrowest around an address is found by looking at those around it alone', (t) => {
  const index = new VipIndex()
  let lookedAt = 0
  const services = Array.from({ length: 4_000 }, (_, i) => {
    const service = range(`s${i}`, '', { ip: ip(`10.${i >> 8}.${i & 255}.0`), length: 24 })
    return new Proxy(service, {
      get: (of, key) => {
        if (key === 'visibility') lookedAt++
        return Reflect.get(of, key) as unknown
      },
    })
  })
  for (const service of services) index.add(service)
  index.add(range('wide', '', { ip: ip('10.0.0.0'), length: 8 }))
  index.add(range('elsewhere', 'other', { ip: ip('10.0.7.0'), length: 30 }))
  t.is(index.find('', ip('10.0.7.9'), 'n')?.name, 's7')
  t.is(index.find('', ip('10.200.0.1'), 'n')?.name, 'wide')
  t.is(index.find('', ip('192.168.0.1'), 'n'), undefined)
  t.is(lookedAt, 1)
  t.deepEqual(
    index.all('', ip('10.0.7.9')).map(({ name }) => name),
    ['s7'],
  )
  for (const service of services) index.remove(service)
  t.is(index.find('', ip('10.0.7.9'), 'n')?.name, 'wide')
})
