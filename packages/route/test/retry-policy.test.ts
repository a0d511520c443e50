import test from 'ava'
import { type AttemptOutcome, judgeRetry, retryDelayMs, retryPolicyOf } from '../src/index.ts'
import { DEFAULT_RETRIES, RETRY_BACKOFF_GROWTH, RETRY_BACKOFF_MS } from '../src/limits.ts'
import { routeOf } from './helpers.ts'

const WITHOUT_ROUTE = retryPolicyOf(undefined)
const DEFAULT = retryPolicyOf(routeOf({}))
const WITH_CODES = retryPolicyOf(routeOf({ retry: { attempts: 3, codes: [503, 504] } }))
const OFF = retryPolicyOf(routeOf({ retry: { attempts: 0, codes: [503] } }))

const FIRST = { made: 1, bodyRepeatable: true }
const answer = (status: number, grpcStatus?: number): AttemptOutcome => ({ kind: 'answer', status, grpcStatus })

/** Outcome; whether it is tried again without a route, with a route, with a route that lists 503 and 504. */
const TABLE: readonly (readonly [string, AttemptOutcome, boolean, boolean, boolean])[] = [
  ['connection failed', { kind: 'connect-failure' }, true, true, true],
  ['reset before the request', { kind: 'reset', sent: false }, true, true, true],
  ['reset after the request', { kind: 'reset', sent: true }, false, false, false],
  ['refused stream', { kind: 'refused-stream' }, false, true, true],
  ['timeout', { kind: 'timeout' }, false, false, false],
  ['200', answer(200), false, false, false],
  ['500', answer(500), false, false, false],
  ['503', answer(503), false, false, true],
  ['504', answer(504), false, false, true],
  ['gRPC ok', answer(200, 0), false, false, false],
  ['gRPC cancelled', answer(200, 1), false, true, true],
  ['gRPC deadline exceeded', answer(200, 4), false, false, false],
  ['gRPC internal', answer(200, 13), false, false, false],
  ['gRPC unavailable', answer(200, 14), false, true, true],
]
for (const [title, outcome, ...expected] of TABLE) {
  test(`another attempt: ${title}`, (t) => {
    const verdicts = [WITHOUT_ROUTE, DEFAULT, WITH_CODES].map((policy) => judgeRetry(policy, outcome, FIRST).retry)
    t.deepEqual(verdicts, expected)
    t.false(judgeRetry(OFF, outcome, FIRST).retry)
  })
}

test('attempts are counted after the first', (t) => {
  const judge = (policy: typeof DEFAULT, made: number) =>
    judgeRetry(policy, { kind: 'connect-failure' }, { made, bodyRepeatable: true })
  for (const policy of [WITHOUT_ROUTE, DEFAULT]) {
    t.true(judge(policy, DEFAULT_RETRIES).retry)
    t.deepEqual(judge(policy, DEFAULT_RETRIES + 1), { retry: false, reason: 'attempts-used-up' })
  }
  t.true(judge(WITH_CODES, 3).retry)
  t.false(judge(WITH_CODES, 4).retry)
})

test('a body that is gone is not sent again', (t) => {
  const verdict = judgeRetry(DEFAULT, answer(200, 14), { made: 1, bodyRepeatable: false })
  t.deepEqual(verdict, { retry: false, reason: 'body-gone' })
})

test('delays are drawn from a span that doubles up to ten times the first', (t) => {
  const almost = () => 1 - Number.EPSILON
  const longest = [1, 2, 3, 4, 5, 1_000].map((made) => retryDelayMs(DEFAULT, made, almost) + 1)
  const top = RETRY_BACKOFF_MS * RETRY_BACKOFF_GROWTH
  t.deepEqual(longest, [RETRY_BACKOFF_MS, 3 * RETRY_BACKOFF_MS, 7 * RETRY_BACKOFF_MS, top, top, top])
  t.is(
    retryDelayMs(DEFAULT, 3, () => 0),
    0,
  )
  const slow = retryPolicyOf(routeOf({ retry: { attempts: 1, backoffMs: 1_000 } }))
  t.is(retryDelayMs(slow, 1, almost), 999)
})

/** Condition of Envoy; the outcomes it holds for. */
const CONDITIONS: readonly (readonly [string, readonly string[]])[] = [
  [
    '5xx',
    [
      'connection failed',
      'reset before the request',
      'reset after the request',
      'refused stream',
      'timeout',
      '500',
      '503',
      '504',
    ],
  ],
  [
    'gateway-error',
    [
      'connection failed',
      'reset before the request',
      'reset after the request',
      'refused stream',
      'timeout',
      '503',
      '504',
    ],
  ],
  ['reset', ['connection failed', 'reset before the request', 'reset after the request', 'refused stream', 'timeout']],
  ['reset-before-request', ['connection failed', 'reset before the request']],
  ['connect-failure', ['connection failed']],
  ['refused-stream', ['refused stream']],
  ['retriable-4xx', []],
  ['retriable-status-codes', []],
  ['cancelled', ['gRPC cancelled']],
  ['deadline-exceeded', ['gRPC deadline exceeded']],
  ['internal', ['gRPC internal']],
  ['resource-exhausted', []],
  ['unavailable', ['gRPC unavailable']],
]
for (const [condition, holds] of CONDITIONS) {
  test(`the condition ${condition} alone`, (t) => {
    const policy = retryPolicyOf(routeOf({ retry: { attempts: 1, conditions: [condition] } }))
    const tried = TABLE.filter(([, outcome]) => judgeRetry(policy, outcome, FIRST).retry).map(([title]) => title)
    t.deepEqual(tried, holds)
  })
}

test('conditions are alternatives, codes beside them too', (t) => {
  const policy = retryPolicyOf(routeOf({ retry: { attempts: 1, codes: [418], conditions: ['retriable-4xx'] } }))
  const statuses = [200, 409, 418, 500].filter((status) => judgeRetry(policy, answer(status), FIRST).retry)
  t.deepEqual(statuses, [409, 418])
})
