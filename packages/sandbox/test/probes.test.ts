// Probes against a clock that is moved by hand, and HTTP ones against a real server.
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { FakeClock } from '@ambit/testing'
import test, { type ExecutionContext } from 'ava'
import { startProbes } from '../src/kubelet/container-probes.ts'
import { httpProbe } from '../src/kubelet/probe.ts'
import type { Container, Probe } from '../src/objects/pod.types.ts'

const exec = (seconds: Partial<Probe> = {}): Probe => ({ exec: { command: [] }, periodSeconds: 1, ...seconds })

/** Starts probes whose results are scripted by kind, and notes what happens. */
function probing(t: ExecutionContext, container: Partial<Container>, answer: (probe: Probe) => boolean) {
  const clock = new FakeClock()
  const end = new AbortController()
  const seen: string[] = []
  t.teardown(() => end.abort())
  startProbes(container, {
    clock,
    signal: end.signal,
    run: (probe) => Promise.resolve({ ok: answer(probe), message: 'no' }),
    events: {
      onReady: (ready) => void seen.push(`ready ${ready}`),
      onStarted: () => void seen.push('started'),
      onDead: (kind) => void seen.push(`dead ${kind}`),
      onFailure: (kind) => void seen.push(`failed ${kind}`),
    },
  })
  return { clock, seen, end }
}

test('liveness and readiness wait for the startup probe', async (t) => {
  const startupProbe = exec({ failureThreshold: 5 })
  let up = false
  const { clock, seen } = probing(t, { startupProbe, readinessProbe: exec(), livenessProbe: exec() }, (probe) =>
    probe === startupProbe ? up : true,
  )
  await clock.advance(2500)
  t.deepEqual([...new Set(seen)], ['failed startup'])
  up = true
  await clock.advance(1000)
  t.deepEqual(seen.slice(-2), ['started', 'ready true'])
})

test('a startup probe that never succeeds ends the container after its threshold', async (t) => {
  const { clock, seen } = probing(t, { startupProbe: exec({ failureThreshold: 3 }) }, () => false)
  await clock.advance(10_000)
  t.deepEqual(seen, ['failed startup', 'failed startup', 'failed startup', 'dead startup'])
})

test('liveness fails after its threshold, counted anew after a success', async (t) => {
  const answers = [false, true, false, false, true]
  const { clock, seen } = probing(t, { livenessProbe: exec({ failureThreshold: 2 }) }, () => answers.shift() ?? true)
  await clock.advance(2000)
  t.deepEqual(seen, ['failed liveness', 'failed liveness'])
  await clock.advance(1000)
  t.deepEqual(seen.slice(2), ['failed liveness', 'dead liveness'])
})

test('readiness comes and goes by its thresholds, and nothing is asked after the end', async (t) => {
  let ok = true
  const { clock, seen, end } = probing(
    t,
    { readinessProbe: exec({ successThreshold: 2, failureThreshold: 2, initialDelaySeconds: 5 }) },
    () => ok,
  )
  await clock.advance(4900)
  t.deepEqual(seen, [])
  await clock.advance(2100)
  t.deepEqual(seen, ['ready true'])
  ok = false
  await clock.advance(2000)
  t.deepEqual(seen, ['ready true', 'failed readiness', 'failed readiness', 'ready false'])
  end.abort()
  ok = true
  await clock.advance(10_000)
  t.is(seen.length, 4)
})

async function probed(t: ExecutionContext, listener: RequestListener, timeoutMs = 2000) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const dial = async ({ to }: { readonly to: { readonly ip: string; readonly port: number } }) => {
    const socket = connect(to.port, to.ip)
    await once(socket, 'connect')
    return socket
  }
  const target = {
    podIp: '127.0.0.1',
    container: { name: 'c', ports: [{ name: 'web', containerPort: port }] },
    sockets: { dial } as unknown as Parameters<typeof httpProbe>[1]['sockets'],
  }
  const action = { path: '/p?q=1', port: 'web', httpHeaders: [{ name: 'X-Own', value: 'v' }] }
  return await httpProbe(action, target, timeoutMs)
}

test('an HTTP probe sends its headers and query, and takes any status below 400', async (t) => {
  const seen: unknown[] = []
  const answer = await probed(t, (request, response) => {
    seen.push(request.url, request.headers['x-own'], request.headers['user-agent'])
    response.writeHead(204).end()
  })
  t.true(answer.ok)
  t.deepEqual(seen, ['/p?q=1', 'v', 'kube-probe/1.33'])
})

test('redirects on the same host are followed, others count as they are', async (t) => {
  const there = await probed(t, (request, response) => {
    if (request.url === '/next') response.writeHead(503).end()
    else response.writeHead(302, { location: '/next' }).end()
  })
  t.is(there.message, 'HTTP probe failed with statuscode: 503')
  t.true((await probed(t, (_, response) => void response.writeHead(302, { location: 'http://192.0.2.1/' }).end())).ok)
  const round = await probed(t, (_, response) => void response.writeHead(302, { location: '/p' }).end())
  t.regex(round.message, /stopped after 10 redirects/)
})

test('a server that says nothing fails the probe when its time is over', async (t) => {
  const { message, ok } = await probed(t, () => undefined, 100)
  t.false(ok)
  t.regex(message, /^Get "http:\/\/127\.0\.0\.1:\d+\/p\?q=1": context deadline exceeded/)
})
