import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2'
import { addressBytes } from '@ambit/testing'
import test from 'ava'
import { echo, GATEWAY, GatewayWorld, HTTP, listener, toService } from './support/gateway.ts'
import { VIP } from './support/world.ts'

test('a request from outside goes to the pod by HBONE, as the gateway’s account', async (t) => {
  await using gateway = await GatewayWorld.start()
  const answer = await gateway.get('/a?b=c', { headers: { host: 'shop.example.com' } })
  t.is(answer.status, 200)
  t.is(answer.headers['server'], 'istio-envoy')
  t.regex(String(answer.headers['x-envoy-upstream-service-time']), /^\d+$/)
  t.like(JSON.parse(answer.body), { url: '/a?b=c', headers: { host: 'shop.example.com' } })
  t.deepEqual(gateway.pod.connects, ['10.0.0.11:8080'])
  t.deepEqual(gateway.pod.peers, [GATEWAY])
})

test('the most specific listener and virtual host take a request, and no other is asked', async (t) => {
  const at = (path: string, status: number): ReturnType<typeof toService> => ({
    name: path,
    match: { path: { case: 'exactPath', value: path } },
    action: { case: 'fixedStatus', value: status },
  })
  await using gateway = await GatewayWorld.start([
    listener({ name: 'any' }, at('/', 200)),
    listener({ name: 'suffix', hostnames: ['*.example.com'] }, at('/', 201)),
    {
      name: 'exact',
      port: HTTP,
      hostnames: ['shop.example.com', 'other.test'],
      virtualHosts: [
        { hostnames: ['shop.example.com'], routes: { routes: [at('/', 202), at('/cart', 203)] } },
        { hostnames: ['*.com'], routes: { routes: [at('/wide', 204)] } },
      ],
    },
  ])
  const status = async (host: string, path = '/'): Promise<number> =>
    (await gateway.get(path, { headers: { host } })).status
  t.is(await status('shop.example.com'), 202)
  t.is(await status('SHOP.example.com:8080', '/cart'), 203)
  t.is(await status('shop.example.com', '/wide'), 404)
  t.is(await status('a.b.example.com'), 201)
  t.is(await status('example.com'), 200)
  t.is(await status('other.test'), 404)
  t.is(await status('10.0.0.1'), 200)
})

test('a host or path nobody has is answered 404 without a body', async (t) => {
  await using gateway = await GatewayWorld.start([
    listener(
      { hostnames: ['shop.example.com'] },
      toService('web', { match: { path: { case: 'pathPrefix', value: '/a' } } }),
    ),
  ])
  for (const [host, path] of [
    ['other.example.com', '/a'],
    ['shop.example.com', '/b'],
  ] as const) {
    const { status, body, headers } = await gateway.get(path, { headers: { host } })
    t.is(status, 404)
    t.is(body, '')
    t.is(headers['content-length'], '0')
    t.is(headers['server'], 'istio-envoy')
  }
  t.deepEqual(gateway.pod.connects, [])
})

test('what only proxies may say is said by the gateway alone', async (t) => {
  await using gateway = await GatewayWorld.start()
  const { headers } = await gateway.echoed('/', {
    headers: {
      'x-forwarded-for': '1.2.3.4, 5.6.7.8',
      'x-forwarded-proto': 'https',
      'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/a/sa/b',
      x_forwarded_client_cert: 'By=x',
      x_forwarded_for: '9.9.9.9',
      'x-envoy-external-address': '1.1.1.1',
      'x-envoy-retry-on': '5xx',
      'x-envoy-upstream-rq-timeout-ms': '1',
      'x-request-id': 'of-the-client',
      'x-kept': 'yes',
    },
  })
  t.is(headers['x-forwarded-for'], '1.2.3.4, 5.6.7.8,127.0.0.1')
  t.is(headers['x-forwarded-proto'], 'http')
  t.is(headers['x-envoy-external-address'], '127.0.0.1')
  t.regex(String(headers['x-request-id']), /^[0-9a-f-]{36}$/)
  t.is(headers['x-kept'], 'yes')
  const own = ['x-envoy-attempt-count', 'x-envoy-external-address']
  t.deepEqual(
    Object.keys(headers)
      .filter((name) => /^x[-_](?:envoy|forwarded[-_]client)|_/.test(name))
      .toSorted(),
    own,
  )
})

test('proxies in front are believed as far as there are such', async (t) => {
  await using gateway = await GatewayWorld.start([listener()], {
    settings: { trustedHops: 2, authorizationPolicies: ['default/by-ip'] },
    policies: { 'by-ip': { action: 1, rules: [{ from: [{ remoteIpBlocks: ['6.6.6.6'] }] }] } },
  })
  const asked = async (forwarded: string): Promise<readonly [number, string]> => {
    const { status, body } = await gateway.get('/', {
      headers: { 'x-forwarded-for': forwarded, 'x-forwarded-proto': 'https' },
    })
    return [status, status === 200 ? body : '']
  }
  const [status, body] = await asked('6.6.6.6, 5.5.5.5, 10.1.1.1')
  t.is(status, 200)
  t.like(JSON.parse(body), { headers: { 'x-envoy-external-address': '5.5.5.5', 'x-forwarded-proto': 'https' } })
  t.is((await asked('5.5.5.5, 6.6.6.6, 10.1.1.1'))[0], 403)
  t.is((await asked('6.6.6.6'))[0], 200)
})

test('a redirect to https keeps host, path and query, whatever the routes say', async (t) => {
  await using gateway = await GatewayWorld.start([
    listener({ hostnames: ['shop.example.com'], virtualHosts: [], httpsRedirect: true }),
  ])
  const answer = await gateway.get('/a/../b?c=d', { headers: { host: 'shop.example.com:8080' } })
  t.is(answer.status, 301)
  t.is(answer.headers['location'], 'https://shop.example.com/b?c=d')
  t.is((await gateway.get('/', { headers: { host: 'other' } })).status, 404)
})

test('a redirect of a route without a port stays at the port the client wrote', async (t) => {
  await using gateway = await GatewayWorld.start([
    listener({}, { name: 'r', action: { case: 'redirect', value: { hostname: 'new.test', status: 302 } } }),
  ])
  const location = async (host: string): Promise<string | undefined> =>
    (await gateway.get('/x', { headers: { host } })).headers.location
  t.is(await location('a.test'), 'http://new.test/x')
  t.is(await location('a.test:8888'), 'http://new.test:8888/x')
})

test('policies of the gateway hold for every host; one that has not arrived denies', async (t) => {
  await using gateway = await GatewayWorld.start([listener()], {
    settings: { authorizationPolicies: ['default/get'] },
    policies: {
      get: { action: 0, rules: [{ to: [{ methods: ['GET'], hosts: ['shop.example.com'] }] }] },
      principal: { action: 0, rules: [{ from: [{ principals: ['*'] }] }] },
    },
  })
  const status = async (host: string, method = 'GET'): Promise<number> =>
    (await gateway.get('/', { method, headers: { host } })).status
  t.is(await status('shop.example.com'), 200)
  t.is(await status('shop.example.com', 'POST'), 403)
  t.is(await status('unknown'), 403)
  const line = await gateway.world.log.find(/request denied by policy/)
  t.notRegex(line, /src\.identity/)
  await gateway.settings([listener()], { authorizationPolicies: ['default/principal'] })
  t.is(await status('shop.example.com'), 403)
  await gateway.settings([listener()], { authorizationPolicies: ['default/late'] })
  t.is(await status('shop.example.com'), 403)
})

test('where tokens are asked for, one that can not be checked is refused', async (t) => {
  await using gateway = await GatewayWorld.start([listener()], { settings: { authenticatesRequests: true } })
  t.is((await gateway.get('/', { headers: { authorization: 'Bearer x' } })).status, 401)
  t.is((await gateway.get('/')).status, 200)
})

test('a pod outside the mesh gets plain TCP', async (t) => {
  await using gateway = await GatewayWorld.start([listener({}, toService('plain'))])
  const { world } = gateway
  const port = await world.listen(echo('plain'))
  world.service('plain', '10.96.0.2', [{ servicePort: 80, targetPort: port }])
  world.workload('plain-1', '127.0.0.1', {
    tunnelProtocol: 0,
    services: { 'default/plain.default.svc.cluster.local': { ports: [{ servicePort: 80, targetPort: port }] } },
  })
  await world.applied(async () => (await gateway.get('/')).status === 200)
  t.is((await gateway.echoed('/')).name, 'plain')
})

test('headless services, and endpoints that only have a name', async (t) => {
  const [headless, external] = ['headless', 'external'].map((name) =>
    listener({ name, hostnames: [`${name}.test`] }, toService(name)),
  )
  await using gateway = await GatewayWorld.start([headless!, external!])
  const { world } = gateway
  const asked = async (name: string): Promise<string> =>
    (await gateway.echoed('/', { headers: { host: `${name}.test` } })).name
  const pod = await world.pod(
    'headless-1',
    '10.0.0.12',
    { headless: { 80: 8080 } },
    { 8080: await world.listen(echo('a pod')) },
  )
  world.service('headless', VIP, [{ servicePort: 80, targetPort: 8080 }], { addresses: [] })
  const port = await world.listen(echo('outside'))
  world.service('external', VIP, [{ servicePort: 80, targetPort: port }], { addresses: [] })
  world.workload('external-1', '127.0.0.1', {
    addresses: [],
    hostname: 'localhost',
    tunnelProtocol: 0,
    services: { 'default/external.default.svc.cluster.local': { ports: [{ servicePort: 80, targetPort: port }] } },
  })
  for (const name of ['headless', 'external'])
    await world.applied(async () => (await gateway.get('/', { headers: { host: `${name}.test` } })).status === 200)
  t.is(await asked('headless'), 'a pod')
  t.deepEqual(pod.peers, [GATEWAY])
  t.is(await asked('external'), 'outside')
})

test('a service’s waypoint is for ingress only where the service says so, and is never gone round then', async (t) => {
  await using gateway = await GatewayWorld.start()
  const { world } = gateway
  const app = await world.listen(echo('by waypoint'))
  const waypoint = await world.pod('wp-1', '10.0.0.7', {}, { 80: app }, VIP)
  const bind = (ingressUseWaypoint: boolean, address = '10.0.0.7'): void =>
    world.service('web', VIP, [{ servicePort: 80, targetPort: 8080 }], {
      waypoint: {
        destination: { case: 'address', value: { network: '', address: addressBytes(address) } },
        hboneMtlsPort: 15008,
      },
      ingressUseWaypoint,
    })
  bind(false)
  t.is((await gateway.echoed('/')).name, 'web')
  bind(true)
  await world.applied(async () => (await gateway.echoed('/')).name === 'by waypoint')
  t.deepEqual(waypoint.connects, [`${VIP}:80`])
  t.deepEqual(waypoint.peers, [GATEWAY])
  bind(true, '10.0.0.99')
  await world.applied(async () => (await gateway.get('/')).status === 503)
  t.is((await gateway.get('/')).body, 'no healthy upstream')
  bind(false, '10.0.0.99')
  await world.applied(async () => (await gateway.get('/')).status === 200)
})

test('h2c by prior knowledge, gRPC and its trailers', async (t) => {
  const app = createHttp2((request, response) => {
    response.writeHead(200, { 'content-type': 'application/grpc' })
    request.resume()
    request.on('end', () => {
      response.write('answer')
      response.addTrailers({ 'grpc-status': '0' })
      response.end()
    })
  })
  await using gateway = await GatewayWorld.start(
    [
      listener(
        {},
        {
          name: 'grpc',
          action: {
            case: 'backends',
            value: {
              backends: [
                { namespace: 'default', hostname: 'web.default.svc.cluster.local', port: 80, weight: 1, protocol: 4 },
              ],
            },
          },
        },
      ),
    ],
    { app: app as never },
  )
  const socket = await gateway.connect()
  const session = connectHttp2('http://shop.test', { createConnection: () => socket })
  const call = session.request({ ':method': 'POST', ':path': '/pkg.Svc/M', 'content-type': 'application/grpc' })
  call.end('question')
  const trailers = once(call, 'trailers') as Promise<[Record<string, string>]>
  const chunks: Buffer[] = []
  for await (const chunk of call) chunks.push(chunk as Buffer)
  t.is(Buffer.concat(chunks).toString(), 'answer')
  t.is((await trailers)[0]['grpc-status'], '0')
  session.destroy()
})

test('a WebSocket goes through', async (t) => {
  const app = createServer()
  app.on('upgrade', (_request, socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    if (head.length > 0) socket.write(head)
    socket.pipe(socket)
  })
  await using gateway = await GatewayWorld.start([listener()], { app })
  const client = await gateway.connect()
  let text = ''
  client.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  client.write(
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\nping',
  )
  await gateway.world.applied(() => Promise.resolve(text.endsWith('ping')))
  t.regex(text, /^HTTP\/1\.1 101 /)
})

test('what is no HTTP is answered or closed, and CONNECT refused', async (t) => {
  await using gateway = await GatewayWorld.start()
  const said = async (text: string): Promise<string> => {
    const socket = await gateway.connect()
    if (text === '') socket.end()
    else socket.write(text)
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  }
  t.regex(await said('GARBAGE\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.regex(await said('GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.regex(await said('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.regex(await said('CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'), /^HTTP\/1\.1 403 /)
  t.regex(await said('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 200 /)
  t.is(await said(''), '')
})

test('metrics are those of a source, the log names cluster and route, the dump what listens', async (t) => {
  await using gateway = await GatewayWorld.start([listener()], { settings: { accessLog: { encoding: 1 } } })
  await gateway.get('/a', { headers: { host: 'shop.test', 'x-forwarded-for': '1.2.3.4' } })
  const line = JSON.parse(await gateway.world.access.find(/shop\.test/)) as Record<string, unknown>
  t.like(line, {
    path: '/a',
    response_code: 200,
    upstream_cluster: 'outbound|80||web.default.svc.cluster.local',
    upstream_host: '10.0.0.11:8080',
    x_forwarded_for: '1.2.3.4,127.0.0.1',
    route_name: 'default.web.0',
    requested_server_name: null,
    downstream_local_address: `127.0.0.1:${HTTP}`,
  })
  const [metric = ''] = (await gateway.world.stats()).match(/^istio_requests_total\{.*/m) ?? []
  for (const label of [
    'reporter="source"',
    'source_workload="waypoint"',
    `source_principal="${GATEWAY}"`,
    'destination_workload="web-1"',
    'destination_service="web.default.svc.cluster.local"',
    'connection_security_policy="unknown"',
    'response_code="200"',
  ])
    t.true(metric.includes(label), `${label} in ${metric}`)
  const dump = await gateway.dump()
  t.like(dump, { config: { role: 'gateway' }, credentials: [], listenerCertificates: [] })
  t.like(dump.settings, { listeners: [{ name: 'http', port: HTTP }] })
})
