import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { ip } from '@ambit/core'
import test from 'ava'
import { acceptFrom, addressOf, EventLoop, IoVectors, nativeBytes, ReactorSocket, WOULD_BLOCK } from '../src/index.ts'
import { AF_INET, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '../src/libc/constants.ts'
import { TIMER_TICK_MS, TIMER_WHEEL_SLOTS } from '../src/limits.ts'
import { TimerWheel } from '../src/reactor/timer-wheel.ts'

const LOOPBACK = ip('127.0.0.1')

/** Turns the loop, which does not sleep, and Node's own in between. */
async function turnUntil(loop: EventLoop, done: () => boolean): Promise<void> {
  while (!done()) {
    loop.turn(false)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function tcp(loop: EventLoop): number {
  const fd = loop.native.calls.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
  if (fd < 0) throw loop.failure('socket', '')
  return fd
}

async function peer(onConnection: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, onConnection)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening')
  return { server, to: { ip: LOOPBACK, port: address.port } }
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

test.serial('a socket connects, writes, half-closes, reads to the end and leaves no descriptor', async (t) => {
  const heard: Buffer[] = []
  const { server, to } = await peer((socket) => {
    socket.on('data', (chunk: Buffer) => heard.push(chunk))
    socket.on('end', () => socket.end('answer'))
  })
  const before = descriptors()
  {
    using loop = new EventLoop()
    let changes = 0
    const socket = new ReactorSocket(loop, tcp(loop), { ready: () => changes++ })
    t.is(socket.connect(to), 0)
    await turnUntil(loop, () => changes > 0)
    t.is(socket.pendingError(), 0)
    t.deepEqual(socket.remote(), to)
    const { bytes, pointer } = nativeBytes(loop.native.ffi, 64)
    t.is(socket.read(pointer, 64), WOULD_BLOCK)
    const vectors = new IoVectors(loop.native.ffi)
    bytes.write('hello world')
    vectors.add(addressOf(pointer), 6, 5)
    vectors.add(addressOf(pointer), 0, 5)
    t.is(socket.write(vectors), 10)
    t.is(vectors.rest(bytes, addressOf(pointer), 3).toString(), 'ldhello')
    socket.endWriting()
    let answer = ''
    await turnUntil(loop, () => {
      const count = socket.read(pointer, 64)
      if (count > 0) answer += bytes.toString('latin1', 0, count)
      return count === 0
    })
    t.is(Buffer.concat(heard).toString(), 'worldhello')
    t.is(answer, 'answer')
    t.is(loop.watched, 1)
    socket.close()
    socket.close()
    t.is(loop.watched, 0)
    t.is(socket.read(pointer, 64), 0)
  }
  server.close()
  await once(server, 'close')
  // Of the server's two nothing may be left either.
  t.true(descriptors() <= before)
})

test('a refused connection tells its error, a reset reaches the peer', async (t) => {
  const { promise: reset, resolve } = Promise.withResolvers<string | undefined>()
  const { server, to } = await peer((socket) =>
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code)),
  )
  using loop = new EventLoop()
  let changes = 0
  const socket = new ReactorSocket(loop, tcp(loop), { ready: () => changes++ })
  t.is(socket.connect(to), 0)
  await turnUntil(loop, () => changes > 0)
  socket.reset()
  t.is(await reset, 'ECONNRESET')
  server.close()
  await once(server, 'close')
  let refused = 0
  const other = new ReactorSocket(loop, tcp(loop), { ready: () => refused++ })
  const atOnce = other.connect(to)
  if (atOnce === 0) {
    await turnUntil(loop, () => refused > 0)
    t.is(other.pendingError(), 111)
  } else t.is(atOnce, -111)
  other.close()
})

test('accept gives connections until there are none', async (t) => {
  using loop = new EventLoop()
  const listening = tcp(loop)
  let news = 0
  const owner = new ReactorSocket(loop, listening, { ready: () => news++ })
  t.is(loop.native.calls.listen(listening, 16), 0)
  const port = owner.local()?.port ?? 0
  t.is(acceptFrom(loop, listening), 'again')
  const client = connect({ host: '127.0.0.1', port })
  client.on('error', () => undefined)
  await turnUntil(loop, () => news > 0)
  const accepted = acceptFrom(loop, listening)
  if (typeof accepted !== 'number') return t.fail(accepted)
  t.is(acceptFrom(loop, listening), 'again')
  const socket = new ReactorSocket(loop, accepted, { ready: () => undefined })
  t.is(socket.remote()?.port, client.localPort)
  socket.close()
  owner.close()
  client.destroy()
})

test('what is told of a descriptor that was closed is not told to the next of its number', (t) => {
  using loop = new EventLoop()
  const told: string[] = []
  const made: ReactorSocket[] = []
  const first = new ReactorSocket(loop, tcp(loop), {
    ready: () => {
      told.push('first')
      second.close()
      const fd = tcp(loop)
      t.is(fd, second.fd)
      made.push(new ReactorSocket(loop, fd, { ready: () => told.push('third') }))
    },
  })
  const second: ReactorSocket = new ReactorSocket(loop, tcp(loop), { ready: () => told.push('second') })
  // A socket that was never connected is told of at once: both, in the order they were made, in one turn.
  loop.turn(true)
  t.deepEqual(told, ['first'])
  loop.turn(true)
  t.deepEqual(told, ['first', 'third'])
  for (const socket of [first, ...made]) socket.close()
})

test('the loop is woken from another thread, and by its timers', (t) => {
  using loop = new EventLoop()
  const { calls, ffi } = loop.native
  const one = nativeBytes(ffi, 8)
  one.bytes.writeBigUInt64LE(1n)
  const vectors = new IoVectors(ffi)
  vectors.add(addressOf(one.pointer), 0, 8)
  calls.writev(loop.wakeDescriptor, vectors.pointer, 1)
  loop.turn(true)
  let rang = 0
  loop.after(1, () => rang++)
  const cancelled = loop.after(1, () => t.fail('a cancelled timer'))
  cancelled.cancel()
  t.is(loop.timers, 1)
  const before = performance.now()
  while (rang === 0) loop.turn(true)
  t.true(performance.now() - before >= 1)
  t.is(loop.timers, 0)
})

test('timers run at their time: never early, within a tick, in whatever lap of the wheel', (t) => {
  const wheel = new TimerWheel(0)
  const lap = TIMER_TICK_MS * TIMER_WHEEL_SLOTS
  const waits = [0, 1, TIMER_TICK_MS, TIMER_TICK_MS + 1, 1000, lap - 1, lap, lap + 1, 3 * lap + 7]
  const rang = new Map<number, number>()
  let now = 0
  for (const ms of waits) wheel.after(ms, 0, () => rang.set(ms, now))
  while (wheel.count > 0) {
    const sleep = wheel.sleepMs(now)
    t.true(sleep >= 0)
    now += Math.max(1, sleep)
    wheel.advance(now)
  }
  t.is(rang.size, waits.length)
  for (const [ms, at] of rang) t.true(at >= ms && at <= ms + 2 * TIMER_TICK_MS, `${ms} rang at ${at}`)
  t.is(wheel.sleepMs(now), -1)
})

test('after a long stop everything due runs, once', (t) => {
  const wheel = new TimerWheel(0)
  let rang = 0
  for (let ms = 0; ms < 100_000; ms += 97) wheel.after(ms, 0, () => rang++)
  const all = wheel.count
  wheel.advance(1_000_000)
  t.is(rang, all)
  t.is(wheel.count, 0)
})

test('where Node has no node:ffi, the error says so', (t) => {
  const index = new URL('../src/index.ts', import.meta.url).href
  const program = `import { EventLoop } from '${index}'; try { new EventLoop() } catch (error) { console.log(error.code, error.message) }`
  const { stdout, status } = spawnSync(
    process.execPath,
    ['--no-experimental-ffi', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  )
  t.is(status, 0)
  t.regex(stdout, /^ERR_REACTOR_UNAVAILABLE this Node .* has no node:ffi/)
})
