import { inspect } from 'node:util'
import { formatSpiffeId, type SpiffeId } from '@ambit/core'
import test from 'ava'
import { FakeClock, settle } from '../../testing/src/fake-clock.ts'
import { type CaClient, CertificateAuthority, type CertificateRequest, SecretManager } from '../src/index.ts'
import { ALICE, BOB, TextLogger } from './fixtures.ts'

const SECOND_MS = 1000
const HOUR_MS = 3_600_000

/** A signer in the process, which can be away, slow, or wrong. */
class TestCa implements CaClient {
  readonly #ca = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' }).ca
  readonly #clock: FakeClock
  readonly asked: string[] = []
  readonly held: (() => void)[] = []
  hold = false
  failure: Error | undefined
  signAs: SpiffeId | undefined

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  async createCertificate({ csrPem, identity, ttlSeconds }: CertificateRequest): Promise<readonly string[]> {
    this.asked.push(identity.serviceAccount)
    if (this.hold) await new Promise<void>((resolve) => this.held.push(resolve))
    if (this.failure !== undefined) throw this.failure
    return this.#ca.sign({ csrPem, identity: this.signAs ?? identity, ttlSeconds, now: this.#clock.now() })
  }

  release(): void {
    for (const go of this.held.splice(0)) go()
  }
}

function setup(options: { ttlSeconds?: number; maxIdentities?: number } = {}) {
  const clock = new FakeClock(Date.UTC(2030, 0, 1))
  const ca = new TestCa(clock)
  const logger = new TextLogger()
  const secrets = new SecretManager({ ca, clock, logger, random: () => 0.5 }, { ttlSeconds: 24 * 3600, ...options })
  return { clock, ca, logger, secrets }
}

const id = (serviceAccount: string): SpiffeId => ({ ...ALICE, serviceAccount })

test('many waiters for one identity make one request', async (t) => {
  const { ca, secrets } = setup()
  const [first, ...others] = await Promise.all(Array.from({ length: 50 }, () => secrets.get(ALICE)))
  t.deepEqual(ca.asked, ['alice'])
  t.is(new Set([first, ...others]).size, 1)
  t.deepEqual(first?.identity, ALICE)
  t.is(secrets.current(ALICE), first)
  t.is((await secrets.get(ALICE)).serialNumber, secrets.current(ALICE)?.serialNumber ?? '')
  t.deepEqual(ca.asked, ['alice'])
})

test('a certificate is renewed at half life, and the new one is announced', async (t) => {
  const { clock, ca, secrets } = setup()
  const first = await secrets.get(ALICE)
  const seen: string[] = []
  secrets.subscribe((identity, certificate) => seen.push(`${identity.serviceAccount} ${certificate.serialNumber}`))
  const half = (first.notAfterMs - first.notBeforeMs) / 2 - (clock.now() - first.notBeforeMs)
  await clock.advance(half - 1)
  t.is(secrets.current(ALICE), first)
  await clock.advance(1)
  const second = secrets.current(ALICE)
  t.not(second, first)
  t.deepEqual(seen, [`alice ${second?.serialNumber}`])
  t.deepEqual(ca.asked, ['alice', 'alice'])
})

test('while renewal fails the last valid certificate stays, and only its end removes it', async (t) => {
  const { clock, ca, secrets } = setup({ ttlSeconds: 3600 })
  const first = await secrets.get(ALICE)
  ca.failure = new Error('controller is away')
  await clock.advance(HOUR_MS - 1)
  t.is(await secrets.get(ALICE), first)
  t.is(secrets.states()[0]?.state, 'Available')
  await clock.advance(1)
  t.is(secrets.current(ALICE), undefined)
  await t.throwsAsync(secrets.get(ALICE), { code: 'ERR_IDENTITY', message: /identity error: controller is away/ })
  t.regex(secrets.states()[0]?.state ?? '', /^Unavailable: identity error: controller is away/)
  ca.failure = undefined
  await clock.advance(5 * SECOND_MS)
  t.not(await secrets.get(ALICE), first)
})

test('failures are retried after 1, 2, 4 and up to 150 seconds', async (t) => {
  const { clock, ca, secrets } = setup()
  ca.failure = new Error('away')
  secrets.prefetch(ALICE)
  await settle()
  const delays: (number | undefined)[] = []
  for (let attempt = 0; attempt < 10; attempt++) {
    delays.push(clock.nextMs)
    await clock.advance(clock.nextMs ?? 0)
  }
  t.deepEqual(
    delays,
    [1, 2, 4, 8, 16, 32, 64, 128, 150, 150].map((seconds) => seconds * SECOND_MS),
  )
})

test('a life of less than the back-dating is renewed at half of what remains', async (t) => {
  const { clock, ca, secrets } = setup({ ttlSeconds: 60 })
  await secrets.get(ALICE)
  await settle()
  t.is(ca.asked.length, 1)
  t.is(clock.nextMs, 30 * SECOND_MS)
})

test('a retry never sleeps past the end of the certificate', async (t) => {
  const { clock, ca, secrets } = setup({ ttlSeconds: 600 })
  await secrets.get(ALICE)
  ca.failure = new Error('away')
  const before = ca.asked.length
  await clock.advance(600 * SECOND_MS)
  const atEnd = ca.asked.length
  t.true(atEnd > before)
  await clock.advance(0)
  t.true((clock.nextMs ?? 0) > 0)
})

test('a failed first fetch fails everybody who waits, and those after it at once', async (t) => {
  const { ca, secrets } = setup()
  ca.failure = new Error('away')
  const outcomes = await Promise.allSettled([secrets.get(ALICE), secrets.get(ALICE)])
  t.true(outcomes.every(({ status }) => status === 'rejected'))
  await t.throwsAsync(secrets.get(ALICE), { message: /away/ })
  t.deepEqual(ca.asked, ['alice'])
})

test('a waiting connection brings a distant retry forward, to once in five seconds', async (t) => {
  const { clock, ca, secrets } = setup()
  ca.failure = new Error('away')
  secrets.prefetch(ALICE)
  await settle()
  await clock.advance(300 * SECOND_MS)
  t.true((clock.nextMs ?? 0) > 30 * SECOND_MS)
  const before = ca.asked.length
  ca.failure = undefined
  const certificate = await secrets.get(ALICE)
  t.deepEqual(certificate.identity, ALICE)
  t.is(ca.asked.length, before + 1)
  ca.failure = new Error('away')
  secrets.prefetch(BOB)
  await settle()
  for (let i = 0; i < 100; i++) {
    await secrets.get(BOB).catch(() => undefined)
    await clock.advance(100)
  }
  t.true(ca.asked.filter((name) => name === 'bob').length <= 5)
})

test('at most eight requests are in flight, and connections go before prefetches', async (t) => {
  const { ca, secrets } = setup()
  ca.hold = true
  for (let i = 0; i < 20; i++) secrets.prefetch(id(`warm-${i}`))
  await settle()
  t.is(ca.asked.length, 8)
  const urgent = secrets.get(id('urgent'))
  const promoted = secrets.get(id('warm-19'))
  ca.release()
  await settle()
  t.is(ca.asked.length, 16)
  t.deepEqual(ca.asked.slice(8, 10).toSorted(), ['urgent', 'warm-19'])
  ca.hold = false
  ca.release()
  await Promise.all([urgent, promoted])
})

test('forgetting an identity tells who waits, and stops its renewal', async (t) => {
  const { clock, ca, secrets } = setup()
  ca.hold = true
  const waiting = secrets.get(ALICE)
  await settle()
  secrets.forget(ALICE)
  await t.throwsAsync(waiting, { code: 'ERR_IDENTITY_FORGOTTEN', message: /no longer needed/ })
  ca.hold = false
  ca.release()
  await secrets.get(BOB)
  secrets.forget(BOB)
  t.is(clock.nextMs, undefined)
  t.deepEqual(secrets.states(), [])
  t.is(secrets.current(BOB), undefined)
})

test('a waiter that gives up does not end the request of others', async (t) => {
  const { ca, secrets } = setup()
  ca.hold = true
  const impatient = new AbortController()
  const first = secrets.get(ALICE, impatient.signal)
  const second = secrets.get(ALICE)
  await settle()
  impatient.abort(new Error('gone'))
  await t.throwsAsync(first, { message: 'gone' })
  ca.release()
  t.deepEqual((await second).identity, ALICE)
})

test('a certificate for another identity is refused', async (t) => {
  const { ca, secrets } = setup()
  ca.signAs = BOB
  await t.throwsAsync(secrets.get(ALICE), { message: /certified .*bob instead of .*alice/ })
})

test('an empty answer is refused, and one without roots is only warned about', async (t) => {
  const { clock, logger } = setup()
  const answers: string[][] = [[]]
  const real = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' }).ca
  const ca: CaClient = {
    createCertificate: ({ csrPem, identity }) =>
      Promise.resolve(answers.shift() ?? real.sign({ csrPem, identity, ttlSeconds: 60, now: clock.now() }).slice(0, 1)),
  }
  const secrets = new SecretManager({ ca, clock, logger })
  await t.throwsAsync(secrets.get(ALICE), { message: /empty certificate chain/ })
  await clock.advance(5 * SECOND_MS)
  t.deepEqual((await secrets.get(ALICE)).roots, [])
  t.true(logger.lines.some((line) => line.includes('no root certificates')))
})

test('identities beyond the limit are refused, those known go on', async (t) => {
  const { secrets } = setup({ maxIdentities: 1 })
  await secrets.get(ALICE)
  await t.throwsAsync(secrets.get(BOB), { code: 'ERR_TOO_MANY_IDENTITIES' })
  secrets.prefetch(BOB)
  t.deepEqual(
    secrets.states().map(({ identity }) => formatSpiffeId(identity)),
    [formatSpiffeId(ALICE)],
  )
})

test('after close nothing is pending and nothing is given', async (t) => {
  const { clock, secrets } = setup()
  await secrets.get(ALICE)
  await secrets.close()
  t.is(clock.nextMs, undefined)
  await t.throwsAsync(secrets.get(ALICE), { code: 'ERR_IDENTITY_FORGOTTEN' })
})

test('no log line and no state shows key material', async (t) => {
  const { clock, ca, logger, secrets } = setup()
  const { privateKey } = await secrets.get(ALICE)
  ca.failure = new Error('away')
  await clock.advance(24 * HOUR_MS)
  const secret = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')
  const text = [
    ...logger.lines,
    inspect(secrets.states(), { depth: 10 }),
    inspect(secrets, { depth: 10, showHidden: true }),
  ].join('\n')
  t.true(logger.lines.length > 1)
  for (const encoding of ['base64', 'base64url', 'hex'] as const) t.false(text.includes(secret.toString(encoding)))
  t.false(text.includes('PRIVATE'))
})
