import test from 'ava'
import fc from 'fast-check'
import { authorityOf, changeHeaders, rewriteRequest, rewriteResponse } from '../src/index.ts'
import { backend, changes, routeOf } from './helpers.ts'

const value = (name: string, text: string) => ({ name, value: text })

test('removals, then what is set, then what is added', (t) => {
  const headers = ['A', '1', 'b', '2', 'B', '3', 'c', '4']
  const all = changes({
    remove: ['a', 'd'],
    set: [value('b', 'x'), value('d', 'y')],
    add: [value('a', 'z'), value('c', '5')],
  })
  t.deepEqual(changeHeaders(headers, all), ['c', '4', 'b', 'x', 'd', 'y', 'a', 'z', 'c', '5'])
})

test('what is added twice stands there twice, what is set twice once', (t) => {
  const twice = [value('set-cookie', 'a=1'), value('set-cookie', 'b=2')]
  t.deepEqual(changeHeaders([], changes({ add: twice })), ['set-cookie', 'a=1', 'set-cookie', 'b=2'])
  t.deepEqual(changeHeaders([], changes({ set: twice })), ['set-cookie', 'b=2'])
})

test('without changes the headers are the same list', (t) => {
  const headers = ['a', '1']
  t.is(changeHeaders(headers, changes({})), headers)
})

const OF_THE_HOP = [':path', ':authority', ':x', 'host', 'connection', 'content-length', 'te', 'transfer-encoding']
for (const name of [...OF_THE_HOP, 'upgrade', 'keep-alive', 'proxy-connection', 'trailer', 'http2-settings']) {
  test(`${name} can be neither removed, set nor added`, (t) => {
    const headers = [name, 'own', 'a', '1']
    for (const change of [{ remove: [name] }, { set: [value(name, 'x')] }, { add: [value(name, 'x')] }]) {
      t.deepEqual(changeHeaders(headers, changes(change)), headers)
    }
  })
}

test('a host that is set or added is the authority; the last counts', (t) => {
  t.is(authorityOf(changes({ set: [value('host', 'a')], add: [value('host', 'b')] })), 'b')
  t.is(authorityOf(changes({ set: [value('host', 'a')] })), 'a')
  t.is(authorityOf(changes({ remove: ['host'] })), undefined)
})

const REQUEST = { authority: 'cart', path: '/a/b', query: 'q=1', headers: ['x', '1'] }

test('a route has the last word over its backend, a rewrite over both', (t) => {
  const hosts = { set: [value('x', 'route'), value('host', 'of-route')] }
  const toBackend = backend({ requestHeaders: changes({ set: [value('x', 'backend'), value('host', 'of-backend')] }) })
  t.is(rewriteRequest(REQUEST, routeOf({}), backend()).authority, 'cart')
  t.is(rewriteRequest(REQUEST, routeOf({}), toBackend).authority, 'of-backend')
  const both = rewriteRequest(REQUEST, routeOf({ requestHeaders: hosts }), toBackend)
  t.deepEqual(both, { ...REQUEST, authority: 'of-route', headers: ['x', 'route'] })
  const rewritten = routeOf({ requestHeaders: hosts, rewrite: { hostname: 'rewritten' } })
  t.is(rewriteRequest(REQUEST, rewritten, toBackend).authority, 'rewritten')
})

test('a rewritten path leaves the one that was sent in a header', (t) => {
  const route = routeOf({
    match: { path: { case: 'pathPrefix', value: '/a' } },
    rewrite: { path: { change: { case: 'prefix', value: '/x' } } },
  })
  const forged = { ...REQUEST, headers: ['X-Envoy-Original-Path', 'forged'] }
  t.deepEqual(rewriteRequest(forged, route, backend()), {
    authority: 'cart',
    path: '/x/b',
    query: 'q=1',
    headers: ['x-envoy-original-path', '/a/b?q=1'],
  })
})

test('answers are changed by the backend, then by the route', (t) => {
  const route = routeOf({ responseHeaders: { set: [value('a', 'route')], remove: ['server'] } })
  const from = backend({ responseHeaders: changes({ set: [value('a', 'backend')], add: [value('b', 'backend')] }) })
  t.deepEqual(rewriteResponse(['server', 'x', 'date', 'now'], route, from), [
    'date',
    'now',
    'b',
    'backend',
    'a',
    'route',
  ])
})

test('whatever is changed, no header of the hop comes or goes', (t) => {
  const names = fc.constantFrom('a', 'b', ...OF_THE_HOP)
  const lists = fc.array(fc.record({ name: names, value: fc.string() }))
  const ofHop = (headers: readonly string[]) =>
    headers.flatMap((name, index) => (index % 2 === 0 && OF_THE_HOP.includes(name) ? [name, headers[index + 1]] : []))
  fc.assert(
    fc.property(lists, lists, lists, fc.array(names), (sent, set, add, remove) => {
      const headers = sent.flatMap((header) => [header.name, header.value])
      const changed = changeHeaders(headers, { set, add, remove })
      return JSON.stringify(ofHop(changed)) === JSON.stringify(ofHop(headers))
    }),
    { numRuns: 1_000 },
  )
  t.pass()
})
