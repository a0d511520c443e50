// control-plane.md 5.3: connectionPool.
import test from 'ava'
import { CircuitBreaker } from '../src/upstream/circuit-breaker.ts'

const NO_LIMITS = {
  maxConnections: undefined,
  maxPendingRequests: undefined,
  maxRequests: undefined,
  maxRetries: undefined,
}
const never = (): AbortSignal => new AbortController().signal

test('one connection, one that waits, further ones overflow; who waits longest is next', async (t) => {
  const breaker = new CircuitBreaker({ ...NO_LIMITS, maxConnections: 1, maxPendingRequests: 2 })
  const leave = await breaker.enter('HTTP/1.1', never)
  const order: number[] = []
  const second = breaker.enter('HTTP/1.1', never).then((done) => (order.push(2), done))
  const third = breaker.enter('HTTP/1.1', never).then((done) => (order.push(3), done))
  await t.throwsAsync(breaker.enter('HTTP/1.1', never), { message: /circuit breaker: 1 connections are in use/ })
  leave()
  leave()
  const leaveSecond = await second
  t.deepEqual(order, [2])
  leaveSecond()
  ;(await third)()
  ;(await breaker.enter('HTTP/1.1', never))()
})

test('who gives up takes no place', async (t) => {
  const breaker = new CircuitBreaker({ ...NO_LIMITS, maxConnections: 1 })
  const leave = await breaker.enter('HTTP/1.1', never)
  const gone = new AbortController()
  const waiting = breaker.enter('HTTP/1.1', () => gone.signal)
  gone.abort(new Error('left'))
  await t.throwsAsync(waiting, { code: 'ERR_UPSTREAM' })
  leave()
  ;(await breaker.enter('HTTP/1.1', never))()
  t.pass()
})

test('of HTTP/2 nobody waits', async (t) => {
  const breaker = new CircuitBreaker({ ...NO_LIMITS, maxConnections: 1, maxRequests: 2 })
  const leave = await breaker.enter('HTTP/2', never)
  await breaker.enter('HTTP/2', never)
  await t.throwsAsync(breaker.enter('HTTP/2', never), { message: /2 requests are under way/ })
  leave()
  await t.notThrowsAsync(breaker.enter('HTTP/2', never))
})

test('retries have a number of their own', (t) => {
  const breaker = new CircuitBreaker({ ...NO_LIMITS, maxRetries: 1 })
  const end = breaker.beginRetry()
  t.truthy(end)
  t.is(breaker.beginRetry(), undefined)
  end?.()
  t.truthy(breaker.beginRetry())
  t.truthy(new CircuitBreaker(NO_LIMITS).beginRetry())
})
