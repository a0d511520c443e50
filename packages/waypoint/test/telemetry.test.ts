import { createServer } from 'node:http'
import test from 'ava'
import { World } from './support/world.ts'

test('requests are counted with Istio’s labels, in their order', async (t) => {
  await using world = await World.start()
  await world.serve(createServer((_request, response) => response.end('hello')))
  t.is((await world.client().request({ path: '/x' })).status, 200)
  await world.applied(async () => (await world.stats()).includes('istio_requests_total{'))
  const stats = await world.stats()
  const labels =
    'reporter="waypoint",source_workload="client",source_canonical_service="client",source_canonical_revision="v1",' +
    'source_workload_namespace="default",source_principal="spiffe://cluster.local/ns/default/sa/client",source_app="client",' +
    'source_version="v1",source_cluster="Kubernetes",destination_workload="web-1",destination_workload_namespace="default",' +
    'destination_principal="spiffe://cluster.local/ns/default/sa/web-1",destination_app="web-1",destination_version="v1",' +
    'destination_service="web.default.svc.cluster.local",destination_canonical_service="web-1",destination_canonical_revision="v1",' +
    'destination_service_name="web",destination_service_namespace="default",destination_cluster="Kubernetes",request_protocol="http",' +
    'response_code="200",grpc_response_status="",response_flags="-",connection_security_policy="mutual_tls"'
  t.true(stats.includes(`istio_requests_total{${labels}} 1`), stats)
  const buckets = [...stats.matchAll(/istio_request_duration_milliseconds_bucket\{.*?le="([^"]+)"/g)].map(
    (match) => match[1],
  )
  const expected = '0.5 1 5 10 25 50 100 250 500 1000 2500 5000 10000 30000 60000 300000 600000 1800000 3600000'.split(
    ' ',
  )
  t.deepEqual(buckets.filter((bucket) => bucket !== '+Inf').map(Number), expected.map(Number))
  t.regex(stats, /istio_build\{component="proxy",tag="test"\} 1/)
  t.regex(stats, /istio_response_bytes_count\{.*\} 1/)
})

test('the access log has Istio’s default format, and follows the settings', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  await world.serve(createServer((_request, response) => response.end('hello')))
  const client = world.client()
  await client.request({
    path: '/one?q',
    headers: { 'user-agent': 'ua/1', 'x-forwarded-for': '1.2.3.4', 'x-request-id': 'id-1' },
  })
  t.regex(
    await world.access.find(/\/one/),
    /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "GET \/one\?q HTTP\/1\.1" 200 - via_upstream - "-" 0 5 \d+ \d+ "1\.2\.3\.4" "ua\/1" "id-1" "web" "10\.0\.0\.11:8080" inbound-vip\|80\|http\|web\.default\.svc\.cluster\.local - 10\.96\.0\.1:80 127\.0\.0\.1:\d+ - default$/,
  )
  world.settings({ accessLog: { encoding: 1 } })
  await world.applied(async () => {
    await client.request({ path: '/json' })
    return world.access.all.some((line) => line.startsWith('{'))
  })
  const line = JSON.parse(world.access.all.find((each) => each.startsWith('{')) ?? '') as Record<string, unknown>
  t.like(line, {
    method: 'GET',
    path: '/json',
    response_code: 200,
    bytes_sent: 5,
    authority: 'web',
    user_agent: null,
    route_name: 'default',
  })
  world.settings({ accessLog: { format: '%REQ(:METHOD)% 100%% %PROTOCOL:4% %NOT_KNOWN%' } })
  await world.applied(async () => {
    await client.request()
    return world.access.all.includes('GET 100% HTTP -')
  })
  world.settings()
  await world.applied(async () => {
    const before = world.access.all.length
    await client.request()
    return world.access.all.length === before
  })
})

test('administration: readiness, configuration, levels', async (t) => {
  await using world = await World.start()
  const { admin, readiness } = world.app.bound
  await world.serve(createServer((_request, response) => response.end()))
  world.policy('some', { rules: [{}] })
  const get = async (path: string, port = admin.port): Promise<Response> =>
    await fetch(`http://127.0.0.1:${port}${path}`)
  t.is((await get('/healthz/ready', readiness.port)).status, 200)
  await world.applied(
    async () => ((await (await get('/config_dump')).json()) as { policies: unknown[] }).policies.length === 1,
  )
  const dump = (await (await get('/config_dump')).json()) as Record<string, unknown>
  t.like(dump['settings'], { gateway: 'waypoint' })
  t.like((dump['destinations'] as object[])[0], { kind: 'service', hostname: 'web.default.svc.cluster.local' })
  t.is((dump['certificates'] as { state: string }[])[0]?.state, 'Available')
  t.notRegex(JSON.stringify(dump), /PRIVATE KEY/)
  t.like(await (await get('/server_info')).json(), { state: 'LIVE' })
  t.is(
    await (await fetch(`http://127.0.0.1:${admin.port}/logging?level=debug`, { method: 'POST' })).text(),
    'current log level is debug\n',
  )
  const quit = world.app.quitRequested
  await fetch(`http://127.0.0.1:${admin.port}/quitquitquit`, { method: 'POST' })
  await quit
})

test('not ready until settings and certificate are there', async (t) => {
  const issue = Promise.withResolvers<void>()
  await using world = await World.start({
    overrides: {
      ca: {
        createCertificate: async (request) => {
          await issue.promise
          return await world.certificates.client().createCertificate(request)
        },
      },
    },
  })
  const { port } = world.app.bound.readiness
  const answer = await fetch(`http://127.0.0.1:${port}/healthz/ready`)
  t.is(answer.status, 500)
  t.regex(await answer.text(), /certificate/)
  issue.resolve()
  await world.ready()
  t.is((await fetch(`http://127.0.0.1:${port}/healthz/ready`)).status, 200)
})

test('the client’s identity reaches the endpoint when the settings say so, and only the waypoint’s word for it', async (t) => {
  await using world = await World.start({ settings: { forwardClientIdentity: true } })
  let header: unknown
  await world.serve(
    createServer((request, response) => {
      header = request.headers['x-forwarded-client-cert']
      response.end()
    }),
  )
  await world.client().request({ headers: { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/x/sa/forged' } })
  t.is(header, 'By=spiffe://cluster.local/ns/default/sa/waypoint;URI=spiffe://cluster.local/ns/default/sa/client')
})
