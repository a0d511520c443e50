import type { Redirect } from '@ambit/state'
import test from 'ava'
import fc from 'fast-check'
import { type RedirectedRequest, redirectOf } from '../src/index.ts'

const REQUEST: RedirectedRequest = { scheme: 'http', authority: 'cart:8080', port: 8080, path: '/a/b', query: 'q=1' }

const NOTHING: Redirect = {
  scheme: undefined,
  hostname: undefined,
  port: undefined,
  path: undefined,
  status: 302,
  keepsWrittenPort: false,
}

function location(over: Partial<Redirect>, request: Partial<RedirectedRequest> = {}): string | undefined {
  const redirect = { ...NOTHING, ...over }
  return redirectOf(redirect, { kind: 'prefix', value: '/a' }, { ...REQUEST, ...request })?.location
}

/** Gateway API: what is left out comes from the request, a scheme brings its port, default ports are not written. */
const TABLE: readonly (readonly [title: string, Partial<Redirect>, Partial<RedirectedRequest>, string])[] = [
  ['nothing said', {}, {}, 'http://cart:8080/a/b?q=1'],
  ['nothing said, service port 80', {}, { port: 80 }, 'http://cart/a/b?q=1'],
  ['the port is the service’s, not the one in Host', {}, { authority: 'cart:1', port: 80 }, 'http://cart/a/b?q=1'],
  ['scheme http', { scheme: 'http' }, {}, 'http://cart/a/b?q=1'],
  ['scheme https', { scheme: 'https' }, {}, 'https://cart/a/b?q=1'],
  ['scheme https, port 443', { scheme: 'https', port: 443 }, {}, 'https://cart/a/b?q=1'],
  ['scheme https, port 80', { scheme: 'https', port: 80 }, {}, 'https://cart:80/a/b?q=1'],
  ['scheme http, port 443', { scheme: 'http', port: 443 }, {}, 'http://cart:443/a/b?q=1'],
  ['scheme http, port 8443', { scheme: 'http', port: 8443 }, {}, 'http://cart:8443/a/b?q=1'],
  ['port 80', { port: 80 }, {}, 'http://cart/a/b?q=1'],
  ['port 8081', { port: 8081 }, {}, 'http://cart:8081/a/b?q=1'],
  ['a request by https on 443', {}, { scheme: 'https', port: 443 }, 'https://cart/a/b?q=1'],
  ['a request by https on 80', {}, { scheme: 'https', port: 80 }, 'https://cart:80/a/b?q=1'],
  ['hostname', { hostname: 'example.org' }, {}, 'http://example.org:8080/a/b?q=1'],
  ['hostname, service port 80', { hostname: 'example.org' }, { port: 80 }, 'http://example.org/a/b?q=1'],
  ['the written port stays', { keepsWrittenPort: true }, { port: 80 }, 'http://cart:8080/a/b?q=1'],
  ['no port written, none is added', { keepsWrittenPort: true }, { authority: 'cart' }, 'http://cart/a/b?q=1'],
  [
    'a port of the old scheme does not stay',
    { keepsWrittenPort: true, scheme: 'https' },
    { authority: 'cart:80' },
    'https://cart/a/b?q=1',
  ],
  [
    'the host of the redirect has its own port',
    { keepsWrittenPort: true, hostname: 'example.org:81' },
    {},
    'http://example.org:81/a/b?q=1',
  ],
  ['full path', { path: { kind: 'full', value: '/x' } }, { port: 80 }, 'http://cart/x?q=1'],
  ['full path with a query', { path: { kind: 'full', value: '/x?y=2' } }, { port: 80 }, 'http://cart/x?y=2'],
  ['prefix', { path: { kind: 'prefix', value: '/x' } }, { port: 80 }, 'http://cart/x/b?q=1'],
  ['prefix by nothing', { path: { kind: 'prefix', value: '' } }, { port: 80, path: '/a', query: '' }, 'http://cart/'],
  ['an IPv6 host', {}, { authority: '[fd00::1]:8080', port: 80 }, 'http://[fd00::1]/a/b?q=1'],
  ['an IPv4 host', {}, { authority: '10.0.0.1', port: 80 }, 'http://10.0.0.1/a/b?q=1'],
  ['a path of two slashes stays on the host', {}, { path: '//evil.org', query: '', port: 80 }, 'http://cart//evil.org'],
  ['what no URL may hold', {}, { path: '/ä b\r\nc', query: '', port: 80 }, 'http://cart/%C3%A4%20b%0D%0Ac'],
]
for (const [title, redirect, request, expected] of TABLE) {
  test(`redirect: ${title}`, (t) => t.is(location(redirect, request), expected))
}

test('without a host there is nowhere to go, unless the route names one', (t) => {
  for (const authority of ['', ':80', 'a/b', 'user@evil', 'a b', '[fd00::1', 'a:b:c', 'a\r\nb', 'a?b', 'a#b', 'a\\b']) {
    t.is(location({}, { authority }), undefined, authority)
    t.is(location({ hostname: 'x', port: 80 }, { authority }), 'http://x/a/b?q=1')
  }
})

test('the status is the route’s', (t) => {
  const redirect = { ...NOTHING, hostname: 'x', status: 307 }
  t.is(redirectOf(redirect, undefined, REQUEST)?.status, 307)
})

test('a location is one URL on the host it should be, whatever was asked for', (t) => {
  const any = fc.string({ unit: 'binary' })
  fc.assert(
    fc.property(any, any, (path, query) => {
      const found = location({ hostname: 'x', port: 80 }, { path, query })
      return found !== undefined && /^[!-~]+$/.test(found) && new URL(found).host === 'x'
    }),
    { numRuns: 2_000 },
  )
  t.pass()
})
