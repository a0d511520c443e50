import { ip, silentLogger } from '@ambit/core'
import test from 'ava'
import type { AdminRoute } from '../src/index.ts'
import {
  AdminServer,
  createLogger,
  loggingRoute,
  metricsRoutes,
  PrometheusMetrics,
  Readiness,
  readinessRoute,
} from '../src/index.ts'

async function start(routes: readonly AdminRoute[]) {
  const server = new AdminServer({ logger: silentLogger, routes })
  const bound = await server.listen({ ip: ip('127.0.0.1'), port: 0 })
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${bound.port}${path}`, init)
    return { status: response.status, body: await response.text(), type: response.headers.get('content-type') }
  }
  return { ask, url: `http://127.0.0.1:${bound.port}`, [Symbol.asyncDispose]: () => server.close() }
}

test('an unknown path is 404, a known one with another method 405', async (t) => {
  await using admin = await start([{ method: 'GET', path: '/a', handle: () => ({ body: 'x' }) }])
  t.is((await admin.ask('/b')).status, 404)
  t.is((await admin.ask('/a', { method: 'POST' })).status, 405)
  t.deepEqual((await admin.ask('/a')).body, 'x')
})

test('a failing route is 500 and the server lives on', async (t) => {
  await using admin = await start([{ method: 'GET', path: '/a', handle: () => Promise.reject(new Error('boom')) }])
  t.is((await admin.ask('/a')).status, 500)
  t.is((await admin.ask('/a')).status, 500)
})

test('a body above the limit is 413', async (t) => {
  await using admin = await start([
    { method: 'POST', path: '/a', handle: ({ body }) => ({ body: String(body.length) }) },
  ])
  t.is((await admin.ask('/a', { method: 'POST', body: 'x'.repeat(1000) })).body, '1000')
  t.is((await admin.ask('/a', { method: 'POST', body: 'x'.repeat(70_000) })).status, 413)
})

test('/logging reports, adds, resets and refuses', async (t) => {
  const logger = createLogger({ write: () => undefined })
  await using admin = await start([loggingRoute(logger.filter)])
  const post = (query: string) => admin.ask(`/logging${query}`, { method: 'POST' })
  t.is((await post('')).body, 'current log level is info\n')
  t.is((await post('?level=access=debug')).body, 'current log level is access=debug,info\n')
  t.is((await post('?reset=1&level=warn')).body, 'current log level is warn\n')
  t.is((await post('?level=access')).status, 400)
  t.is((await admin.ask('/logging')).status, 405)
})

test('readiness names what is pending', async (t) => {
  const readiness = new Readiness()
  const done = readiness.task('state manager')
  readiness.task('workload proxy manager')(true)
  await using admin = await start([readinessRoute(readiness)])
  t.deepEqual(await admin.ask('/healthz/ready'), {
    status: 500,
    body: 'not ready, pending: state manager\n',
    type: 'text/plain; charset=utf-8',
  })
  done(true)
  t.is((await admin.ask('/healthz/ready')).body, 'ready\n')
})

test('metrics are OpenMetrics on both paths', async (t) => {
  await using admin = await start(metricsRoutes(new PrometheusMetrics()))
  for (const path of ['/metrics', '/stats/prometheus']) {
    const answer = await admin.ask(path)
    t.is(answer.body, '# EOF\n')
    t.regex(answer.type ?? '', /^application\/openmetrics-text/)
  }
})

test('pieces are sent as they come, until the client leaves', async (t) => {
  const left = Promise.withResolvers<void>()
  async function* pieces(signal: AbortSignal): AsyncGenerator<string> {
    yield 'one\n'
    const gone = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => gone.resolve())
    await gone.promise
    left.resolve()
  }
  await using admin = await start([{ method: 'GET', path: '/a', handle: ({ signal }) => ({ body: pieces(signal) }) }])
  const leaving = new AbortController()
  const response = await fetch(`${admin.url}/a`, { signal: leaving.signal })
  const reader = response.body?.getReader()
  t.is(new TextDecoder().decode((await reader?.read())?.value), 'one\n')
  leaving.abort()
  await t.throwsAsync(async () => await reader?.read())
  await left.promise
})

test('pieces that end are a whole answer, and what fails among them breaks the connection', async (t) => {
  async function* good(): AsyncGenerator<string> {
    yield 'a'
    yield 'b'
  }
  async function* bad(): AsyncGenerator<string> {
    yield 'a'
    throw new Error('boom')
  }
  await using admin = await start([
    { method: 'GET', path: '/good', handle: () => ({ body: good(), contentType: 'application/x-ndjson' }) },
    { method: 'GET', path: '/bad', handle: () => ({ body: bad() }) },
  ])
  t.deepEqual(await admin.ask('/good'), { status: 200, body: 'ab', type: 'application/x-ndjson' })
  await t.throwsAsync(admin.ask('/bad'))
  t.is((await admin.ask('/good', { method: 'HEAD' })).body, '')
})
