import { status } from '@grpc/grpc-js'
import test from 'ava'
import fc from 'fast-check'
import { contentVersion } from '../src/content-version.ts'
import { DeltaResponse } from '../src/delta-response.ts'
import { MAX_NACK_TEXT } from '../src/limits.ts'
import { readRequest } from '../src/method.ts'
import { nackText } from '../src/nack-text.ts'
import { type ConnectionEnd, decideReconnect, type ReconnectDecision } from '../src/reconnect-delay.ts'

const reconnect = test.macro({
  exec(t, end: ConnectionEnd, expected: ReconnectDecision) {
    t.deepEqual(decideReconnect(end), expected)
  },
  title: (name) => `reconnect: ${name}`,
})

const ended = (code: number, details = '', answered = true): ConnectionEnd => ({
  kind: 'ended',
  code,
  details,
  answered,
})

test(
  'a failed connect backs off',
  reconnect,
  { kind: 'connect-failed' },
  { reason: 'ConnectionError', wait: 'backoff' },
)
test('a clean end connects at once', reconnect, ended(status.OK), { reason: 'Complete', wait: 'none' })
test('a clean end without an answer backs off', reconnect, ended(status.OK, '', false), {
  reason: 'Complete',
  wait: 'backoff',
})
for (const code of [status.UNKNOWN, status.CANCELLED, status.DEADLINE_EXCEEDED]) {
  test(`${status[code]} is routine`, reconnect, ended(code), { reason: 'Reconnect', wait: 'moment' })
}
test('a server going away is routine', reconnect, ended(status.UNAVAILABLE, 'received prior goaway: x'), {
  reason: 'Reconnect',
  wait: 'moment',
})
test('an unavailable server backs off', reconnect, ended(status.UNAVAILABLE, 'no route'), {
  reason: 'Error',
  wait: 'backoff',
})
test('a refused client backs off', reconnect, ended(status.UNAUTHENTICATED), { reason: 'Error', wait: 'backoff' })

test('a NACK names each resource with its reason', (t) => {
  t.is(
    nackText([
      { name: 'a', reason: 'x' },
      { name: 'b', reason: 'y' },
    ]),
    'a: x; b: y',
  )
})

test('a NACK never grows without limit', (t) => {
  const rejected = Array.from({ length: 50_000 }, (_, index) => ({ name: `name-${index}`, reason: 'bad' }))
  const text = nackText(rejected)
  t.true(text.length <= MAX_NACK_TEXT + 30)
  t.regex(text, /; and \d+ more$/)
  t.true(nackText([{ name: 'a', reason: 'x'.repeat(1e6) }]).length <= MAX_NACK_TEXT)
})

test('equal bytes have equal versions, others do not', (t) => {
  t.is(contentVersion(Uint8Array.of(1, 2)), contentVersion(Uint8Array.of(1, 2)))
  t.not(contentVersion(Uint8Array.of(1, 2)), contentVersion(Uint8Array.of(2, 1)))
})

test('random bytes from a peer end in a message or an error, never worse', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const read of [readRequest, (received: Buffer) => [...new DeltaResponse(received).resources()]]) {
        try {
          read(Buffer.from(bytes))
        } catch (error) {
          if (!(error instanceof Error)) return false
        }
      }
      return true
    }),
    { numRuns: 2_000 },
  )
  t.pass()
})
