import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'
import { ip } from '@ambit/core'
import test from 'ava'
import { HboneCutError } from '../src/errors.ts'
import { cut, splice } from '../src/index.ts'
import { ORPHAN_STALL_MS, READ_SLAB_BYTES, SPLICE_BUFFER_BYTES, STALL_MS } from '../src/limits.ts'
import { ManualClock } from './manual-clock.ts'
import { CLIENT, newPool, readAll, SERVER, TestCa, tcpPair, until } from './mesh.ts'
import { foreignServer } from './raw-peers.ts'

const ca = new TestCa()

async function twoPairs() {
  const left = await tcpPair()
  const right = await tcpPair()
  return {
    left: left.far,
    right: right.far,
    ends: [left.near, right.near] as const,
    [Symbol.dispose]() {
      left[Symbol.dispose]()
      right[Symbol.dispose]()
    },
  }
}

test('each end of data is passed on while the other direction goes on', async (t) => {
  using p = await twoPairs()
  const counters = { aToB: 0, bToA: 0 }
  const result = splice(...p.ends, { counters })
  p.left.end('one')
  t.is((await readAll(p.right)).toString(), 'one')
  t.is(counters.aToB, 3)
  p.right.write('two')
  await once(p.left, 'data')
  t.is(counters.bToA, 3)
  p.right.end('three')
  t.is((await readAll(p.left)).toString(), 'three')
  t.deepEqual(await result, { aToB: 3, bToA: 8 })
})

test('a side that was paused before is read', async (t) => {
  using p = await twoPairs()
  p.ends[0].pause()
  void splice(...p.ends)
  p.left.end('one')
  t.is((await readAll(p.right)).toString(), 'one')
})

test('a reset of one side is a clean end for the other, and no error', async (t) => {
  using p = await twoPairs()
  const result = splice(...p.ends)
  p.left.write('last')
  await once(p.right, 'data')
  const ended = once(p.right, 'end')
  p.left.resetAndDestroy()
  p.right.resume()
  await ended
  p.right.end()
  t.is((await result).error, undefined)
})

test('a cut ends both sides with a reset and reports its reason', async (t) => {
  using p = await twoPairs()
  const cut = new AbortController()
  const result = splice(...p.ends, { signal: cut.signal })
  p.left.write('x')
  await once(p.right, 'data')
  const errors: unknown[] = []
  p.left.on('error', (error) => errors.push(error))
  p.right.on('error', (error) => errors.push(error))
  const closed = Promise.all([p.left, p.right].map((side) => new Promise((resolve) => side.once('close', resolve))))
  p.left.resume()
  p.right.resume()
  cut.abort(new Error('connection closed due to policy change'))
  t.is((await result).error?.message, 'connection closed due to policy change')
  await closed
  t.is(errors.length, 2)
})

test('a socket whose end is on its way is closed by a cut, after all that was written', async (t) => {
  using p = await tcpPair()
  const received = readAll(p.far)
  const closed = new Promise<void>((resolve) => void p.near.once('close', () => resolve()))
  p.near.write('all')
  await once(p.far, 'readable')
  p.near.end()
  t.false(p.near.writableFinished)
  cut(p.near)
  await closed
  t.is((await received).toString(), 'all')
})

test('a splice that is cut while it passes an end on is over, and both sockets are closed', async (t) => {
  using p = await twoPairs()
  const stop = new AbortController()
  const result = splice(...p.ends, { signal: stop.signal })
  p.left.end('one')
  const closed = Promise.all(
    p.ends.map((side) => new Promise<void>((resolve) => void side.once('close', () => resolve()))),
  )
  p.ends[0].once('end', () => stop.abort(new Error('cut')))
  t.is((await result).error?.message, 'cut')
  await closed
})

test('a splice that is cut before it begins copies nothing', async (t) => {
  using p = await twoPairs()
  const result = await splice(...p.ends, { signal: AbortSignal.abort(new Error('late')) })
  t.is(result.error?.message, 'late')
  t.is(result.aToB + result.bToA, 0)
})

test('a sender learns that its receiver is gone', async (t) => {
  using p = await twoPairs()
  const result = splice(...p.ends)
  const closed = new Promise((resolve) => p.left.once('close', resolve))
  p.left.resume()
  const send = (): void => {
    if (p.left.writable) p.left.write(Buffer.alloc(65536), () => setImmediate(send))
  }
  send()
  await once(p.right, 'data')
  p.right.resetAndDestroy()
  await closed
  await result
  t.pass()
})

test('the faster side is read no further than a buffer ahead of the slower one', async (t) => {
  using p = await tcpPair()
  const taking: (() => void)[] = []
  const slow = new Duplex({ read: () => undefined, write: (_chunk, _encoding, taken) => void taking.push(taken) })
  const counters = { aToB: 0, bToA: 0 }
  const result = splice(p.near, slow, { counters })
  p.far.write(Buffer.alloc(8 * SPLICE_BUFFER_BYTES))
  await until(() => p.near.isPaused())
  const waiting = slow.writableLength
  t.true(waiting >= SPLICE_BUFFER_BYTES)
  t.true(waiting < SPLICE_BUFFER_BYTES + READ_SLAB_BYTES)
  await until(() => {
    taking.shift()?.()
    return counters.aToB === 8 * SPLICE_BUFFER_BYTES
  })
  slow.destroy()
  await result
})

test('what a sender that is gone left behind waits for a slow receiver, and not for ever for one that takes nothing', async (t) => {
  using p = await tcpPair()
  const clock = new ManualClock()
  const taking: (() => void)[] = []
  // Kernels take more than one would think, and at odd times: here the receiver takes exactly what it is told to.
  const slow = new Duplex({ read: () => undefined, write: (_chunk, _encoding, taken) => void taking.push(taken) })
  const counters = { aToB: 0, bToA: 0 }
  const result = splice(p.near, slow, { clock, counters })
  for (let sent = 1; sent <= 3; sent++) {
    p.far.write('x')
    await until(() => counters.aToB === sent)
  }
  const gone = new Promise((resolve) => p.near.once('close', resolve))
  p.far.resetAndDestroy()
  await gone
  for (let chunk = 1; chunk <= 2; chunk++) {
    await clock.advance(ORPHAN_STALL_MS - 1)
    taking.shift()?.()
    await clock.advance(1)
    t.false(slow.destroyed, `chunk ${chunk} was taken in time`)
  }
  await clock.advance(ORPHAN_STALL_MS)
  t.true(slow.destroyed)
  t.true((await result).error instanceof HboneCutError)
})

test('a sender that went behind more than the buffer holds is noticed: standing still has an end', async (t) => {
  using p = await tcpPair()
  const clock = new ManualClock()
  const taking: (() => void)[] = []
  const answers: Buffer[] = []
  const slow = new Duplex({ read: () => undefined, write: (_chunk, _encoding, taken) => void taking.push(taken) })
  const result = splice(p.near, slow, { clock })
  p.far.on('data', (chunk: Buffer) => answers.push(chunk))
  p.far.write(Buffer.alloc(4 * SPLICE_BUFFER_BYTES))
  await until(() => p.near.isPaused())
  taking.shift()?.()
  await clock.advance(STALL_MS)
  t.false(slow.destroyed, 'some was taken')
  slow.push('alive')
  await until(() => answers.length > 0)
  await clock.advance(STALL_MS)
  t.false(slow.destroyed, 'something came the other way')
  const gone = new Promise((resolve) => p.far.once('close', resolve))
  p.far.resetAndDestroy()
  await gone
  await clock.advance(STALL_MS)
  t.true(slow.destroyed)
  t.true(p.near.destroyed)
  t.true((await result).error instanceof HboneCutError)
  t.is(clock.nextMs, undefined)
})

/** A tunnel whose server end is driven by hand, spliced to a socket of an application. */
async function tunnelToApp() {
  const { promise, resolve } = Promise.withResolvers<ServerHttp2Stream>()
  const server = await foreignServer(ca.certify(SERVER), {}, (h2) => {
    h2.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined)
      stream.respond({ ':status': 200 })
      resolve(stream)
    })
  })
  const certificate = ca.certify(CLIENT)
  const pool = newPool({ certificate: () => Promise.resolve(certificate) })
  const tunnel = await pool.open({
    source: CLIENT,
    sourceIp: ip('127.0.0.1'),
    to: server.address,
    expected: [SERVER],
    authority: 'a:1',
  })
  const app = await tcpPair()
  const result = splice(app.near, tunnel.stream)
  const ending = new Promise<string>((done) => {
    app.far.on('end', () => done('end')).on('error', (error: NodeJS.ErrnoException) => done(error.code ?? ''))
  })
  return {
    peer: await promise,
    app: app.far,
    result,
    ending,
    async [Symbol.asyncDispose]() {
      app[Symbol.dispose]()
      await pool.close()
      server[Symbol.dispose]()
    },
  }
}

test('a tunnel reset with INTERNAL_ERROR does not look like a clean end to the application', async (t) => {
  await using p = await tunnelToApp()
  p.peer.write('half')
  await once(p.app, 'data')
  p.app.resume()
  p.peer.destroy(new Error('boom'))
  t.is(await p.ending, 'ECONNRESET')
  const { error: failure } = await p.result
  t.is((failure as { code?: string } | undefined)?.code, 'ERR_HBONE_RESET')
})

for (const [name, code] of [
  ['CANCEL', 8],
  ['NO_ERROR', 0],
] as const) {
  test(`a tunnel reset with ${name} is the end of the data`, async (t) => {
    await using p = await tunnelToApp()
    p.peer.write('all')
    await once(p.app, 'data')
    p.app.resume()
    p.peer.close(code)
    t.is(await p.ending, 'end')
    p.app.end()
    t.is((await p.result).error, undefined)
  })
}

test("an application's reset ends the tunnel's data, then cancels the rest", async (t) => {
  await using p = await tunnelToApp()
  p.app.write('x')
  await once(p.peer, 'data')
  p.peer.resume()
  const ended = once(p.peer, 'end')
  const closed = new Promise((resolve) => p.peer.once('close', resolve))
  p.app.resetAndDestroy()
  await ended
  await closed
  t.is(p.peer.rstCode, 8)
  t.is((await p.result).error, undefined)
  await until(() => p.peer.destroyed)
})
