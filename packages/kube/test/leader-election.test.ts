import type { Clock } from '@ambit/core'
import { silentLogger } from '@ambit/core'
import test from 'ava'
import { KubeApiError, type KubeClient, LeaderElection, type Lease } from '../src/index.ts'

type LeaseClient = Pick<KubeClient, 'get' | 'create' | 'update'>

/** One lease with the API server's conflict rules, and a switch to cut a client off. */
class Leases {
  lease: Lease | undefined
  #version = 0

  client(cut: { off: boolean } = { off: false }): LeaseClient {
    const guard = (): void => {
      if (cut.off) throw new KubeApiError('cut off', 503, 'ServiceUnavailable')
    }
    const store = (lease: Lease): Lease => {
      this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(++this.#version) } }
      return this.lease
    }
    return {
      get: (async () => (guard(), this.lease)) as unknown as LeaseClient['get'],
      create: (async (_kind: unknown, lease: Lease) => {
        guard()
        if (this.lease !== undefined) throw new KubeApiError('exists', 409, 'AlreadyExists')
        return store(lease)
      }) as unknown as LeaseClient['create'],
      update: (async (_kind: unknown, lease: Lease) => {
        guard()
        if (lease.metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
          throw new KubeApiError('conflict', 409, 'Conflict')
        return store(lease)
      }) as unknown as LeaseClient['update'],
    }
  }
}

/** Time that moves only by `advance`, a step at a time so that everybody may act in between. */
class Steps implements Clock {
  #now = Date.UTC(2026, 0, 1)
  readonly #timers = new Set<{ at: number; run: () => void }>()
  now = (): number => this.#now
  monotonic = (): number => this.#now
  after(ms: number, callback: () => void): Disposable {
    const timer = { at: this.#now + ms, run: callback }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) }
  }
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    using _timer = this.after(ms, resolve)
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    await promise
  }
  async advance(ms: number): Promise<void> {
    for (let i = 0; i < ms; i += 500) {
      this.#now += 500
      for (const timer of [...this.#timers]) {
        if (timer.at > this.#now) continue
        this.#timers.delete(timer)
        timer.run()
      }
      for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }
}

interface Candidate {
  readonly election: LeaderElection
  readonly cut: { off: boolean }
  readonly lost: { count: number }
  stop(): Promise<void>
}

function campaign(leases: Leases, clock: Clock, identity: string): Candidate {
  const end = new AbortController()
  const cut = { off: false }
  const lost = { count: 0 }
  const election = new LeaderElection(
    { client: leases.client(cut), clock, logger: silentLogger },
    { namespace: 'n', name: 'l', identity },
  )
  const run = election.run(end.signal, (leading) => {
    leading.addEventListener('abort', () => lost.count++, { once: true })
  })
  return {
    election,
    cut,
    lost,
    async stop() {
      end.abort()
      await run
    },
  }
}

test('the first to come leads, the second waits', async (t) => {
  const [leases, clock] = [new Leases(), new Steps()]
  const a = campaign(leases, clock, 'a')
  await clock.advance(1_000)
  const b = campaign(leases, clock, 'b')
  await clock.advance(60_000)
  t.true(a.election.leading.value)
  t.false(b.election.leading.value)
  t.is(leases.lease?.spec?.holderIdentity, 'a')
  await Promise.all([a.stop(), b.stop()])
})

test('a leader that is cut off steps down before another takes over', async (t) => {
  const [leases, clock] = [new Leases(), new Steps()]
  const a = campaign(leases, clock, 'a')
  await clock.advance(4_000)
  const b = campaign(leases, clock, 'b')
  await clock.advance(4_000)
  a.cut.off = true
  for (let i = 0; i < 60 && !b.election.leading.value; i++) {
    await clock.advance(500)
    t.false(a.election.leading.value && b.election.leading.value, 'never two at once')
  }
  t.false(a.election.leading.value)
  t.true(b.election.leading.value)
  t.is(a.lost.count, 1)
  t.is(leases.lease?.spec?.leaseTransitions, 1)
  await Promise.all([a.stop(), b.stop()])
})

test('who stops hands over at once', async (t) => {
  const [leases, clock] = [new Leases(), new Steps()]
  const a = campaign(leases, clock, 'a')
  await clock.advance(1_000)
  await a.stop()
  t.is(a.lost.count, 1)
  const b = campaign(leases, clock, 'b')
  await clock.advance(2_500)
  t.true(b.election.leading.value)
  await b.stop()
})

test('a process that starts again under its name goes on', async (t) => {
  const [leases, clock] = [new Leases(), new Steps()]
  leases.lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'l', namespace: 'n' },
    spec: { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 3 },
  }
  const a = campaign(leases, clock, 'a')
  await clock.advance(500)
  t.true(a.election.leading.value)
  t.is(leases.lease.spec?.leaseTransitions, 3)
  await a.stop()
})
