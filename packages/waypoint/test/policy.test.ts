import { createServer } from 'node:http'
import test from 'ava'
import { World } from './support/world.ts'

function application(seen: string[] = []): ReturnType<typeof createServer> {
  return createServer((request, response) => {
    seen.push(request.url ?? '')
    response.end('ok')
  })
}

test('methods, paths and identities are judged; a denial is Envoy’s', async (t) => {
  await using world = await World.start()
  const seen: string[] = []
  world.policy('readers', {
    rules: [
      { from: [{ principals: ['cluster.local/ns/default/sa/client'] }], to: [{ methods: ['GET'], paths: ['/open*'] }] },
    ],
  })
  await world.serve(application(seen), {}, { authorizationPolicies: ['default/readers'] })
  const client = world.client()
  t.is((await client.request({ path: '/open/x' })).status, 200)
  const denied = await client.request({ path: '/open/x', method: 'DELETE' })
  t.is(denied.status, 403)
  t.is(denied.body, 'RBAC: access denied')
  t.is(denied.headers['content-type'], 'text/plain')
  t.is(denied.headers['content-length'], '19')
  t.is(denied.headers['server'], 'istio-envoy')
  t.is((await client.request({ path: '/closed' })).status, 403)
  t.is((await world.client('stranger').request({ path: '/open/x' })).status, 403)
  t.deepEqual(seen, ['/open/x'])
  const line = await world.log.find(/request denied by policy/)
  t.regex(line, /spiffe:\/\/cluster.local\/ns\/default\/sa\/client.*method="DELETE".*policy="default\/readers"/)
})

test('a policy that has not arrived denies, and lets in when it does', async (t) => {
  await using world = await World.start()
  await world.serve(application(), {}, { authorizationPolicies: ['default/late'] })
  const client = world.client()
  t.is((await client.request()).status, 403)
  world.policy('late', { rules: [{}] })
  await world.applied(async () => (await client.request()).status === 200)
  t.pass()
})

test('CUSTOM denies what it matches, before tokens are looked at', async (t) => {
  await using world = await World.start()
  world.policy('ext', { action: 3, provider: 'ext', rules: [{ to: [{ paths: ['/ext*'] }] }] })
  await world.serve(application(), {}, { authorizationPolicies: ['default/ext'], authenticatesRequests: true })
  const client = world.client()
  t.is((await client.request({ path: '/ext', headers: { authorization: 'Bearer x' } })).status, 403)
  const unchecked = await client.request({ path: '/other', headers: { authorization: 'Bearer x' } })
  t.is(unchecked.status, 401)
  t.regex(String(unchecked.headers['www-authenticate']), /invalid_token/)
  t.is((await client.request({ path: '/other?access_token=x' })).status, 401)
  t.is((await client.request({ path: '/other' })).status, 200)
})

test('a policy on trial and an audit change nothing, and are counted and logged', async (t) => {
  await using world = await World.start()
  world.policy('trial', { action: 1, dryRun: true, rules: [{ to: [{ methods: ['POST'] }] }] })
  world.policy('audit', { action: 2, rules: [{ to: [{ methods: ['POST'] }] }] })
  await world.serve(application(), {}, { authorizationPolicies: ['default/trial', 'default/audit'] })
  t.is((await world.client().request({ method: 'POST', body: 'x' })).status, 200)
  await world.log.find(/policy on trial.*policy="default\/trial"/)
  await world.log.find(/request audited.*policy="default\/audit"/)
  const stats = await world.stats()
  t.regex(stats, /ambit_waypoint_shadow_matches_total\{policy="default\/trial",action="Deny",kind="dry-run"\} 1/)
  t.regex(stats, /ambit_waypoint_shadow_matches_total\{policy="default\/audit",action="Audit",kind="audit"\} 1/)
})

const DISGUISES = [
  '/open/../admin',
  '/open/%2e%2e/admin',
  '/open/%2E./admin',
  '/./admin',
  '/open\\..\\admin',
  '//admin',
  '/open/..//admin',
  '/open/..%2fadmin',
  '/open%2f..%2fadmin',
  '/open/%5c..%5c/admin',
  '/%61dmin',
  '/admin%2f',
  '/admin/',
  '/admin?x=/open',
  '/admin%00',
  '/admin#/open',
  '/open;/../admin',
] as const

for (const [mode, name] of [
  [0, 'base'],
  [2, 'merge-slashes'],
  [3, 'decode-and-merge-slashes'],
] as const) {
  test(`no spelling of a denied path gets through: ${name}`, async (t) => {
    await using world = await World.start({ settings: { pathNormalization: mode } })
    const seen: string[] = []
    world.policy('no-admin', { action: 1, rules: [{ to: [{ paths: ['/admin*'] }] }] })
    await world.serve(application(seen), {}, { authorizationPolicies: ['default/no-admin'] })
    const client = world.client()
    for (const path of DISGUISES) {
      const answer = await client.raw(`GET ${path} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n`)
      t.regex(answer, /^HTTP\/1\.1 (200|400|403) /, path)
    }
    // Whatever reached the application, another reader of its path does not find the denied one in it.
    for (const url of seen) {
      t.notRegex(url, /^\/admin/, url)
      t.notRegex(new URL(url, 'http://x').pathname, /^\/admin/, url)
    }
    t.is((await client.request({ path: '/open' })).status, 200)
  })
}

test('the Host header chooses nothing', async (t) => {
  await using world = await World.start()
  await world.serve(application())
  world.service('other', '10.96.0.2', [{ servicePort: 80, targetPort: 8080 }])
  const pod = await world.pod('web-2', '10.0.0.12', { web: { 80: 8080 } }, {})
  const answer = await world.client().request({ headers: { host: 'other.default.svc.cluster.local' } })
  t.true([200, 503].includes(answer.status))
  t.true(pod.connects.every((authority) => authority.startsWith('10.0.0.12:')))
  await t.throwsAsync(world.client().connect('10.96.0.2:80'), { message: /404/ })
  await t.throwsAsync(world.client().connect('10.96.0.9:80'), { message: /404/ })
  await t.throwsAsync(world.client().connect('10.0.0.11:8080'), { message: /404/ })
})
