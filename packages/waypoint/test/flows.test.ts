import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createTcp } from 'node:net'
import { type Flow, MAX_FLOW_TEXT, WITHHELD } from '@ambit/flow'
import { FlowStream, flowsAt } from '@ambit/testing'
import test from 'ava'
import { GatewayWorld, HTTPS, keyPair, listener } from './support/gateway.ts'
import { Protocol, World } from './support/world.ts'

const CLIENT = 'spiffe://cluster.local/ns/default/sa/client'

function application(): Server {
  return createServer((_request, response) => response.end('hello'))
}

function told(world: World, query = ''): Promise<readonly Flow[]> {
  return flowsAt(world.app.bound.admin.port, query)
}

/** A slow machine tells of some while they last. */
const isOver = ({ state }: Flow): boolean => state !== 'open'

async function follow(world: World, query = ''): Promise<FlowStream> {
  const flows = await FlowStream.open(world.app.bound.admin.port, query)
  world.defer(() => flows[Symbol.dispose]())
  return flows
}

test('while somebody follows each request is a flow, with service, endpoint, path and status', async (t) => {
  await using world = await World.start()
  await world.serve(application())
  await world.client().request({ path: '/before' })
  t.deepEqual(await told(world), [], 'nobody followed')
  const flows = await follow(world)
  t.regex(await world.stats(), /^ambit_flow_followers 1$/m)
  await world.client().request({ path: '/a/../b?secret=1', method: 'POST', body: 'four', headers: { 'x-secret': 's' } })
  const flow = await flows.until(isOver)
  t.like(flow, {
    state: 'closed',
    side: 'waypoint',
    protocol: 'http',
    reporter: { kind: 'waypoint', pod: 'default/waypoint-1', node: 'node-1', gateway: 'default/waypoint' },
    waypoint: 'default/waypoint',
    client: { identity: CLIENT, namespace: 'default', workload: 'client', pod: 'client' },
    server: {
      address: '10.0.0.11:8080',
      identity: 'spiffe://cluster.local/ns/default/sa/web-1',
      workload: 'web-1',
      pod: 'web-1',
    },
    service: { namespace: 'default', hostname: 'web.default.svc.cluster.local', port: 80 },
    transport: { kind: 'hbone', version: 'TLSv1.3', keyExchange: 'X25519MLKEM768' },
    request: { method: 'POST', path: '/b', host: 'web', status: 200 },
    verdict: { allowed: true, reason: 'no-allow-policies' },
    bytesFromClient: 4,
    bytesToClient: 5,
    failure: undefined,
  })
  t.notRegex(JSON.stringify(flow), /secret/)
})

test('a denial is kept with the rule, and with those headers only that policies read', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  world.policy('readers', {
    rules: [
      {
        to: [{ methods: ['GET'] }],
        when: [
          { key: 'request.headers[X-Tenant]', values: ['a'] },
          { key: 'request.headers[authorization]', values: ['Bearer good'] },
        ],
      },
    ],
  })
  await world.serve(application(), {}, { authorizationPolicies: ['default/readers'] })
  const headers = {
    'x-tenant': 'b'.repeat(2 * MAX_FLOW_TEXT),
    'x-other': 'hidden',
    authorization: 'Bearer secret-token',
  }
  t.is((await world.client().request({ path: '/x?q=hidden', headers })).status, 403)
  const [flow, more] = await told(world, '?state=denied')
  t.is(more, undefined)
  t.like(flow, {
    state: 'denied',
    request: { method: 'GET', path: '/x', host: 'web', status: 403 },
    verdict: { allowed: false, reason: 'not-allowed', unmatched: ['default/readers'], policy: undefined },
    failure: { code: 'policy-denied', message: 'rbac_access_denied_matched_policy[none]' },
    server: { address: '10.96.0.1:80', workload: undefined, identity: undefined },
    service: { hostname: 'web.default.svc.cluster.local' },
  })
  t.deepEqual(flow?.request?.headers, { authorization: WITHHELD, 'x-tenant': 'b'.repeat(MAX_FLOW_TEXT) })
  t.notRegex(JSON.stringify(flow), /hidden|secret-token/)
  t.regex(await world.log.find(/request denied by policy/), new RegExp(`stream_id="${flow?.id}"`))
  t.regex(
    await world.access.find(/ 403 /),
    new RegExp(`"${flow?.id}"`),
    'where the client gave no id, the request’s is it',
  )
})

test('a client’s request id is not the flow’s; the access log has both where it is asked for', async (t) => {
  await using world = await World.start({ settings: { accessLog: { encoding: 1 } } })
  await world.serve(application())
  const flows = await follow(world)
  for (let i = 0; i < 2; i++) await world.client().request({ path: '/x', headers: { 'x-request-id': 'mine' } })
  const first = await flows.until(isOver)
  const second = await flows.until(isOver)
  t.not(first.id, second.id)
  const line = JSON.parse(await world.access.find(/mine/)) as Record<string, unknown>
  t.is(line['stream_id'], first.id)
  t.is(line['request_id'], 'mine')
})

test('a request that lasts is told as open, with its bytes, and then its end', async (t) => {
  await using world = await World.start()
  const answering = Promise.withResolvers<ServerResponse>()
  await world.serve(
    createServer((_request, response) => {
      response.write('begun')
      answering.resolve(response)
    }),
  )
  const sent = await world.client().start({ path: '/long' })
  sent.end()
  const response = await answering.promise
  await once(sent, 'response')
  t.like((await told(world, '?state=open'))[0], {
    state: 'open',
    request: { path: '/long', status: 200 },
    bytesToClient: 5,
  })
  const flows = await follow(world)
  const { id } = await flows.until(({ state }) => state === 'open')
  response.write('more')
  await flows.until(({ state, bytesToClient }) => state === 'open' && bytesToClient === 9)
  response.end()
  t.like(await flows.until(({ state }) => state !== 'open'), { id, state: 'closed', bytesToClient: 9 })
})

test('what fails is kept, with what the access log says', async (t) => {
  await using world = await World.start()
  const pod = await world.serve(application())
  pod.close()
  t.is((await world.client().request({ path: '/x' })).status, 503)
  t.like((await told(world, '?state=failed'))[0], {
    state: 'failed',
    request: { status: 503 },
    server: { workload: 'web-1', identity: undefined },
    failure: { code: 'URX,UF' },
  })
})

test('connections that are no HTTP are flows too, and denied when policy cuts them', async (t) => {
  await using world = await World.start()
  const echo = createTcp((socket) => socket.on('error', () => undefined).pipe(socket))
  await world.serve(echo, { protocol: Protocol.TCP })
  const stream = await world.client().connect()
  stream.write('hello')
  await once(stream, 'data')
  t.like((await told(world))[0], {
    state: 'open',
    protocol: 'tcp',
    bytesFromClient: 5,
    bytesToClient: 5,
    request: undefined,
    client: { identity: CLIENT },
    server: { workload: 'web-1', identity: 'spiffe://cluster.local/ns/default/sa/web-1' },
  })
  world.policy('stop', { rules: [] })
  world.destination('web', [{ number: 80, protocol: Protocol.TCP }], { authorizationPolicies: ['default/stop'] })
  await once(stream, 'close')
  await world.applied(async () => (await told(world)).length === 1)
  t.like((await told(world))[0], {
    state: 'denied',
    bytesFromClient: 5,
    verdict: { allowed: false, reason: 'not-allowed', unmatched: ['default/stop'] },
    failure: { message: `closed after a change of policy: ${CLIENT} is not allowed any more` },
  })
})

test('a gateway tells its clients’ requests, and how they came', async (t) => {
  await using gateway = await GatewayWorld.start([
    listener(),
    listener({ name: 'https', port: HTTPS, tls: { credentials: ['shop'] } }),
  ])
  const { world } = gateway
  const flows = await follow(world)
  await gateway.get('/plain', { headers: { host: 'shop.example.com' } })
  const plain = await flows.until(isOver)
  t.like(plain, {
    side: 'waypoint',
    reporter: { kind: 'gateway', gateway: 'default/waypoint' },
    waypoint: undefined,
    client: { identity: undefined, workload: undefined },
    service: { hostname: 'web.default.svc.cluster.local', port: 80 },
    server: { workload: 'web-1', identity: 'spiffe://cluster.local/ns/default/sa/web-1' },
    transport: { kind: 'plain' },
    request: { host: 'shop.example.com', path: '/plain', status: 200 },
  })
  world.credential('shop', keyPair(world.certificates, 'shop.example.com'))
  await world.applied(async () => {
    const { listenerCertificates } = await gateway.dump()
    return listenerCertificates.some(({ certificates }) => certificates.length > 0)
  })
  await gateway.overTls('shop.example.com')
  t.like(await flows.until(isOver), {
    transport: { kind: 'tls', version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
  })
})
