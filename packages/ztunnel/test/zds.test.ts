import { closeSync, fstatSync, openSync } from 'node:fs'
import { zdspb } from '@ambit/api'
import { FakeClock, RecordingLogger, RecordingMetrics, settle } from '@ambit/testing'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { PodProxies } from '../src/pod-proxies.ts'
import type { PodProxy } from '../src/pod-proxy.ts'
import { ZdsClient } from '../src/zds-client.ts'

const INFO = { name: 'p', namespace: 'n', serviceAccount: 's' }

function setUp() {
  const clock = new FakeClock()
  const events: string[] = []
  const readiness: boolean[] = []
  const failing = new Set<string>()
  /** Pods whose proxies never end. */
  const endless = new Set<string>()
  let held: Promise<void> | undefined
  const proxies = new PodProxies({
    start: async (uid) => {
      if (held !== undefined) await held
      if (failing.has(uid)) throw new Error('address in use')
      events.push(`start ${uid}`)
      const proxy = {
        close: () => {
          events.push(`close ${uid}`)
          return endless.has(uid) ? new Promise<void>(() => undefined) : Promise.resolve()
        },
        drain: () => Promise.resolve(void events.push(`drain ${uid}`)),
      }
      return proxy as unknown as PodProxy
    },
    metrics: new RecordingMetrics(),
    clock,
    logger: new RecordingLogger(),
    onReady: (ready) => readiness.push(ready),
  })
  const netns = (id: string) => ({ id, [Symbol.dispose]: () => void events.push(`free ${id}`) })
  /** Starts from now on wait for this. */
  const hold = (): PromiseWithResolvers<void> => {
    const until = Promise.withResolvers<void>()
    held = until.promise
    return until
  }
  return { clock, events, failing, endless, proxies, netns, hold, ready: () => readiness.at(-1) }
}

test('adding the same pod with the same namespace again does nothing, another namespace replaces its proxy', async (t) => {
  const { proxies, netns, events, ready } = setUp()
  proxies.beginSnapshot()
  t.is(await proxies.add('u', INFO, netns('1')), undefined)
  await proxies.snapshotSent()
  t.true(ready())
  await proxies.add('u', INFO, netns('1'))
  await proxies.add('u', INFO, netns('2'))
  t.deepEqual(events, ['start u', 'free 1', 'close u', 'free 1', 'start u'])
})

test('a snapshot drops what it did not name, and nothing before its end', async (t) => {
  const { proxies, netns, events, ready } = setUp()
  proxies.beginSnapshot()
  for (const uid of ['a', 'b', 'c']) await proxies.add(uid, INFO, netns(uid))
  await proxies.snapshotSent()
  proxies.disconnected()
  t.false(ready())
  proxies.beginSnapshot()
  proxies.keep('a')
  await proxies.add('b', INFO, netns('b'))
  await proxies.remove('b')
  t.false(events.some((event) => event.startsWith('close')))
  await proxies.snapshotSent()
  t.deepEqual(
    events.filter((event) => event.startsWith('close')),
    ['close b', 'close c'],
  )
  t.true(ready())
})

test('a pod that cannot be started keeps ztunnel unready and is tried again', async (t) => {
  const { proxies, netns, events, failing, clock, ready } = setUp()
  failing.add('u')
  proxies.beginSnapshot()
  t.is(await proxies.add('u', INFO, netns('1')), 'address in use')
  await proxies.snapshotSent()
  t.false(ready())
  failing.clear()
  await clock.advance(5_000)
  await settle()
  t.deepEqual(events, ['start u'])
  t.true(ready())
})

test('a snapshot that begins while pods are tried again leaves none of them behind', async (t) => {
  const { proxies, netns, events, failing, clock, ready, hold } = setUp()
  for (const uid of ['a', 'b']) failing.add(uid)
  proxies.beginSnapshot()
  for (const uid of ['a', 'b']) await proxies.add(uid, INFO, netns(uid))
  await proxies.snapshotSent()
  const started = hold()
  await clock.advance(5_000)
  await settle()
  // The first is being started, the second waits for it.
  proxies.beginSnapshot()
  started.resolve()
  await proxies.snapshotSent()
  t.deepEqual(events.toSorted(), ['free a', 'free b'])
  t.true(ready())
  t.deepEqual(proxies.dump(), {})
})

test('a proxy that does not end does not hold up other pods', async (t) => {
  const { proxies, netns, events, endless, clock, ready } = setUp()
  endless.add('a')
  proxies.beginSnapshot()
  await proxies.add('a', INFO, netns('a'))
  await proxies.snapshotSent()
  const removed = proxies.remove('a')
  const added = proxies.add('b', INFO, netns('b'))
  await settle()
  t.deepEqual(events, ['start a', 'close a'])
  await clock.advance(2_000)
  await Promise.all([removed, added])
  t.deepEqual(events, ['start a', 'close a', 'start b'])
  t.true(ready())
})

/** An agent's end of the connection, packet by packet. */
function agent() {
  const sent: Uint8Array[] = []
  const inbox: { bytes: Uint8Array; fds: number[] }[] = []
  let wake = (): void => undefined
  return {
    connection: {
      send: (bytes: Uint8Array) => Promise.resolve(void sent.push(bytes)),
      receive: async () => {
        while (inbox.length === 0) await new Promise<void>((resolve) => (wake = resolve))
        return inbox.shift()
      },
      close: () => undefined,
    },
    say: (payload: zdspb.WorkloadRequest['payload'], fds: number[] = []) => {
      inbox.push({
        bytes: toBinary(zdspb.WorkloadRequestSchema, create(zdspb.WorkloadRequestSchema, { payload })),
        fds,
      })
      wake()
    },
    acks: () => sent.slice(1).map((bytes) => fromBinary(zdspb.WorkloadResponseSchema, bytes).payload.value?.error),
    hello: () => sent[0] && [...sent[0]],
  }
}

test('one hello, then one answer per request; a second snapshot ends the client for good', async (t) => {
  const { proxies, clock, ready } = setUp()
  const { connection, say, acks, hello } = agent()
  const client = new ZdsClient({
    connect: () => Promise.resolve(connection),
    pods: proxies,
    clock,
    logger: new RecordingLogger(),
  })
  const run = client.run(new AbortController().signal)
  const fd = openSync('/proc/self/ns/net', 'r')
  say({ case: 'add', value: create(zdspb.AddWorkloadSchema, { uid: 'u', workloadInfo: INFO }) }, [fd])
  say({ case: 'keep', value: create(zdspb.KeepWorkloadSchema, { uid: 'k' }) })
  say({ case: 'snapshotSent', value: create(zdspb.SnapshotSentSchema) })
  say({ case: 'snapshotSent', value: create(zdspb.SnapshotSentSchema) })
  await t.throwsAsync(run, { code: 'zds-protocol' })
  t.deepEqual(hello(), [8, 1])
  t.deepEqual(acks(), ['', '', '', 'failure to process message : second snapshot on one connection'])
  t.false(ready())
  await proxies.drain(0)
  t.throws(() => fstatSync(fd), { code: 'EBADF' })
})

test('descriptors nobody asked for are closed', async (t) => {
  const { proxies, clock } = setUp()
  const { connection, say, acks } = agent()
  const stop = new AbortController()
  const client = new ZdsClient({
    connect: () => (acks().length === 0 ? Promise.resolve(connection) : Promise.reject(new Error('gone'))),
    pods: proxies,
    clock,
    logger: new RecordingLogger(),
  })
  const run = client.run(stop.signal)
  const fd = openSync('/dev/null', 'r')
  say({ case: 'del', value: create(zdspb.DelWorkloadSchema, { uid: 'u' }) }, [fd])
  await settle()
  await settle()
  t.regex(acks()[0] ?? '', /^failure to read message : /)
  t.throws(() => closeSync(fd), { code: 'EBADF' })
  stop.abort()
  await run
})
