import test from 'ava'
import { judgeAccess } from '../src/judge-access.ts'

const TOKEN = 'secretsecretsecret'
const knock = { method: 'GET', url: `/${TOKEN}/`, host: '127.0.0.1:4000', fetchSite: undefined }

test('the page and what it loads are served to whom knows the token', (t) => {
  const page = judgeAccess(knock, TOKEN)
  t.is(page.kind === 'serve' ? page.path : page.kind, '')
  const events = judgeAccess({ ...knock, url: `/${TOKEN}/edge?id=a%3Eb`, fetchSite: 'same-origin' }, TOKEN)
  t.like(events, { kind: 'serve', path: 'edge' })
  t.is(events.kind === 'serve' ? events.query.get('id') : '', 'a>b')
})

const refused = test.macro({
  exec(t, change: Partial<typeof knock> | { readonly fetchSite: string }, status: number) {
    t.like(judgeAccess({ ...knock, ...change }, TOKEN), { kind: 'refuse', status })
  },
  title: (name) => `refused: ${name}`,
})

test('another name of this machine', refused, { host: 'rebound.example:4000' }, 403)
test('a name that only begins like ours', refused, { host: '127.0.0.1.example' }, 403)
test('a host with a user before it', refused, { host: 'x@127.0.0.1' }, 403)
test('no host', refused, { host: undefined as never }, 403)
test('no token', refused, { url: '/' }, 403)
test('another token', refused, { url: '/secretsecretsecreT/' }, 403)
test('the beginning of the token', refused, { url: '/secret/' }, 403)
test('the token without its slash', refused, { url: `/${TOKEN}` }, 403)
test('a path that climbs out of the token', refused, { url: `/${TOKEN}/../etc/passwd` }, 403)
test('POST', refused, { method: 'POST' }, 405)
test('HEAD', refused, { method: 'HEAD' }, 405)
test('an absolute URL', refused, { url: `http://127.0.0.1/${TOKEN}/` }, 400)
test('data for another site', refused, { url: `/${TOKEN}/events`, fetchSite: 'cross-site' }, 403)
test('data for another port of this machine', refused, { url: `/${TOKEN}/events`, fetchSite: 'same-site' }, 403)

test('whoever comes through a forwarded port of another number is served', (t) => {
  t.is(judgeAccess({ ...knock, host: 'localhost:9999' }, TOKEN).kind, 'serve')
  t.is(judgeAccess({ ...knock, host: '[::1]:9999' }, TOKEN).kind, 'serve')
})

test('a link in a chat may open the page, and nothing else', (t) => {
  t.is(judgeAccess({ ...knock, fetchSite: 'cross-site' }, TOKEN).kind, 'serve')
})
