import { FakeClock, RecordingLogger, RecordingMetrics } from '@ambit/testing'
import test from 'ava'
import { FLUSH_MAX_WORKLOADS } from '../src/limits.ts'
import { Pusher } from '../src/push.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

function start(): { clock: FakeClock; mesh: Mesh; pusher: Pusher } {
  const mesh = new Mesh()
  const clock = new FakeClock()
  const pusher = new Pusher({
    index: mesh.index,
    clock,
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  })
  return { clock, mesh, pusher }
}

test('nothing is told before the start, then everything at once', async (t) => {
  const { clock, mesh, pusher } = start()
  mesh.put(make.pod('a/x'), true)
  await clock.advance(1000)
  t.deepEqual(mesh.names(), [])
  await pusher.start()
  t.deepEqual(mesh.names(), ['Kubernetes//Pod/a/x'])
})

test('after a rest a change is compiled at once, with what comes along', async (t) => {
  const { clock, mesh, pusher } = start()
  await pusher.start()
  await clock.advance(10)
  for (const name of ['x', 'y']) mesh.put(make.pod(`a/${name}`), true)
  t.deepEqual(mesh.names(), [])
  await clock.advance(0)
  t.is(mesh.names().length, 2)
})

test('a single change right after a compile waits 10 ms', async (t) => {
  const { clock, mesh, pusher } = start()
  await pusher.start()
  mesh.put(make.pod('a/x'), true)
  await clock.advance(9)
  t.deepEqual(mesh.names(), [])
  await clock.advance(1)
  t.is(mesh.names().length, 1)
})

test('a stream of changes is compiled after 50 ms at the latest', async (t) => {
  const { clock, mesh, pusher } = start()
  await pusher.start()
  for (let i = 0; i < 9; i++) {
    t.deepEqual(mesh.names(), [])
    mesh.put(make.pod(`a/x${i}`, { ip: `10.0.0.${i}` }), true)
    await clock.advance(6)
  }
  t.is(mesh.names().length, 9)
})

test('a change during a compile starts the next', async (t) => {
  const { clock, mesh, pusher } = start()
  await pusher.start()
  for (const name of ['x', 'y']) {
    mesh.put(make.pod(`a/${name}`), true)
    await clock.advance(20)
  }
  t.is(mesh.names().length, 2)
  pusher[Symbol.dispose]()
  mesh.put(make.pod('a/z'), true)
  await clock.advance(1000)
  t.is(mesh.names().length, 2)
})

test('what touches many workloads is compiled bit by bit, also at the start', async (t) => {
  const { clock, mesh, pusher } = start()
  const count = FLUSH_MAX_WORKLOADS + 5
  for (let i = 0; i < count; i++) mesh.put(make.pod(`a/x${i}`, { ip: `10.0.${i >> 8}.${i & 255}` }), true)
  const started = pusher.start()
  t.is(mesh.names().length, FLUSH_MAX_WORKLOADS)
  await clock.advance(0)
  await started
  t.is(mesh.names().length, count, 'all of it before anybody is served')
  mesh.put(make.peerAuthentication('a/default', { mtls: { mode: 'STRICT' } }), true)
  t.is(mesh.index.flush(FLUSH_MAX_WORKLOADS), FLUSH_MAX_WORKLOADS + 2)
  t.is(mesh.index.pending, 5)
  await clock.advance(10)
  t.is(mesh.index.pending, 0)
})
