import { createServer } from 'node:http'
import test from 'ava'
import { World } from './support/world.ts'

test('a request goes through both tunnels and back', async (t) => {
  await using world = await World.start()
  const seen: { method: string | undefined; url: string | undefined; headers: Record<string, unknown> }[] = []
  const app = createServer((request, response) => {
    seen.push({ method: request.method, url: request.url, headers: request.headers })
    response.setHeader('server', 'my-app')
    response.end('hello')
  })
  const pod = await world.serve(app)
  const answer = await world
    .client()
    .request({ path: '/a/../b?x=1', headers: { 'x-forwarded-client-cert': 'forged', traceparent: 'tp' } })
  t.is(answer.status, 200, world.log.all.join('\n'))
  t.is(answer.body, 'hello')
  t.is(answer.headers['server'], 'istio-envoy')
  t.regex(String(answer.headers['x-envoy-upstream-service-time']), /^\d+$/)
  t.deepEqual(pod.connects, ['10.0.0.11:8080'])
  const [first] = seen
  t.is(first?.url, '/b?x=1')
  t.is(first?.headers['x-forwarded-proto'], 'http')
  t.is(first?.headers['x-forwarded-client-cert'], undefined)
  t.is(first?.headers['x-forwarded-for'], undefined)
  t.is(first?.headers['traceparent'], 'tp')
  t.is(first?.headers['x-envoy-attempt-count'], '1')
  t.regex(String(first?.headers['x-request-id']), /^[0-9a-f-]{36}$/)
})
