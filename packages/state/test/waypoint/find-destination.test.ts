import { ip } from '@ambit/core'
import test from 'ava'
import { DestinationStore, findDestination } from '../../src/index.ts'
import { bytesOf, cart, HOST, KEY, pod, storeOf } from '../helpers.ts'
import { type DestinationInit, destinationResource, workloadInit } from './helpers.ts'

const VIP = '10.96.0.1'

function bound(...inits: readonly DestinationInit[]): DestinationStore {
  const store = new DestinationStore()
  const rejected = store.applyDestinations({ upserts: inits.map(destinationResource), removed: [] })
  if (rejected.length > 0) throw new Error(JSON.stringify(rejected))
  return store
}

function serving(namespace = 'shop', hostname = HOST, ...ports: readonly number[]): DestinationInit {
  const value = { namespace, hostname, ports: (ports.length > 0 ? ports : [80]).map((number) => ({ number })) }
  return { target: { case: 'service', value } }
}

const OPTIONS = { network: '', namespace: 'shop' }
const at = (address: string, port = 80) => ({ kind: 'address' as const, ip: ip(address), port })
const named = (hostname: string, port = 80) => ({ kind: 'hostname' as const, hostname, port })

test('a service by its address', (t) => {
  const verdict = findDestination(storeOf({ services: [cart()] }), bound(serving()), at(VIP), OPTIONS)
  t.is(verdict.kind, 'service')
  if (verdict.kind !== 'service') return
  t.is(verdict.destination.key, KEY)
  t.is(verdict.port.number, 80)
  t.is(verdict.service.hostname, HOST)
})

test('a service by its name', (t) => {
  const addresses = storeOf({ services: [cart()] })
  t.is(findDestination(addresses, bound(serving()), named(HOST), OPTIONS).kind, 'service')
  t.like(findDestination(addresses, bound(serving()), named('other'), OPTIONS), { kind: 'none', reason: 'unbound' })
})

test('what is not bound here is not served', (t) => {
  const addresses = storeOf({ services: [cart()], pods: [pod('a', '10.0.0.1')] })
  for (const authority of [at(VIP), named(HOST), at('10.0.0.1'), at('1.2.3.4')]) {
    t.like(findDestination(addresses, bound(), authority, OPTIONS), { kind: 'none', reason: 'unbound' })
  }
  // A service's endpoint is no destination because the service is.
  t.like(findDestination(addresses, bound(serving()), at('10.0.0.1', 8080), OPTIONS), { reason: 'unbound' })
})

test('another network has other addresses', (t) => {
  const addresses = storeOf({ services: [cart()], pods: [pod('a', '10.0.0.1')] })
  const destinations = bound(serving(), workloadInit('Kubernetes//Pod/shop/a'))
  for (const authority of [at(VIP), at('10.0.0.1')]) {
    t.like(findDestination(addresses, destinations, authority, { ...OPTIONS, network: 'x' }), { reason: 'unbound' })
  }
})

test('a port the service does not have', (t) => {
  const addresses = storeOf({ services: [cart()] })
  t.like(findDestination(addresses, bound(serving()), at(VIP, 81), OPTIONS), { kind: 'none', reason: 'no-port' })
})

test('a workload by its address, on any port', (t) => {
  const addresses = storeOf({ pods: [pod('a', '10.0.0.1')] })
  const verdict = findDestination(addresses, bound(workloadInit('Kubernetes//Pod/shop/a')), at('10.0.0.1', 9), OPTIONS)
  t.like(verdict, { kind: 'workload', port: 9 })
  t.is(verdict.kind === 'workload' ? verdict.workload.name : '', 'a')
})

test('of one address the service comes before the workload, if it is bound', (t) => {
  const addresses = storeOf({
    services: [cart({ addresses: [{ address: bytesOf('10.0.0.1') }] })],
    pods: [pod('a', '10.0.0.1')],
  })
  const workload = workloadInit('Kubernetes//Pod/shop/a')
  t.is(findDestination(addresses, bound(serving(), workload), at('10.0.0.1'), OPTIONS).kind, 'service')
  t.is(findDestination(addresses, bound(workload), at('10.0.0.1'), OPTIONS).kind, 'workload')
})

test('of several services of one address only those bound here count, the waypoint’s namespace first', (t) => {
  const other = cart({ namespace: 'aaa', canonical: true })
  const own = cart({ canonical: false })
  const addresses = storeOf({ services: [other, own] })
  const found = (...inits: readonly DestinationInit[]) => {
    const verdict = findDestination(addresses, bound(...inits), at(VIP), OPTIONS)
    return verdict.kind === 'service' ? verdict.destination.namespace : verdict.kind
  }
  t.is(found(serving('aaa')), 'aaa')
  t.is(found(serving('shop')), 'shop')
  t.is(found(serving('aaa'), serving('shop')), 'shop')
  t.is(found(serving('aaa'), serving('shop', HOST, 81)), 'aaa')
})

test('a service that hides from other namespaces is found where it is bound', (t) => {
  const addresses = storeOf({ services: [cart({ namespace: 'aaa', visibility: 1 })] })
  t.is(findDestination(addresses, bound(serving('aaa')), at(VIP), OPTIONS).kind, 'service')
})

test('a range around the address: the narrowest, and only when no service has the address itself', (t) => {
  const range = (hostname: string, length: number) =>
    cart({ hostname, addresses: [{ address: bytesOf('10.96.0.0'), length }] })
  const addresses = storeOf({ services: [range('a-wide', 8), range('narrow', 16), cart()] })
  const wide = serving('shop', 'a-wide')
  const both = bound(wide, serving('shop', 'narrow'))
  const found = (destinations: DestinationStore, address: string) => {
    const verdict = findDestination(addresses, destinations, at(address), OPTIONS)
    return verdict.kind === 'service' ? verdict.destination.hostname : verdict.kind
  }
  t.is(found(both, '10.96.0.9'), 'narrow')
  t.is(found(both, '10.1.0.9'), 'a-wide')
  t.is(found(both, VIP), 'none')
  t.is(found(both, '11.0.0.1'), 'none')
  // A client means the narrower one, whoever serves it.
  t.is(found(bound(wide), '10.96.0.9'), 'none')
})
