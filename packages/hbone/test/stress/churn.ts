import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { codeOf, ip, silentLogger, systemClock } from '@ambit/core'
import { clientFd } from '@ambit/linux'
import { Reactor, type ReactorConnection, type ReactorFacts, ReactorPool, ReactorServer } from '../../src/index.ts'
import { CLIENT, SERVER, TestCa } from '../mesh.ts'
import { LOOPBACK, listenWith, portOf } from '../proxies.ts'
import { numbers } from './numbers.ts'
import type { Done, Order } from './users.ts'

export interface ChurnOptions {
  readonly connections: number
  readonly seed: number
  /** Connections after which nothing may be left. */
  readonly round?: number
  /** Told after each round. */
  readonly onRound?: (facts: ChurnFacts) => void
}

export interface ChurnFacts {
  readonly opened: number
  /** Of those opened, what was copied through both proxies. */
  readonly copied: number
  readonly descriptors: number
  readonly residentBytes: number
  /** Of both workers: what is left between rounds, when nothing is open. */
  readonly handles: number
  readonly sessions: number
  readonly outputBuffers: number
  readonly timers: number
  readonly crashes: number
}

export interface ChurnResult {
  readonly before: ChurnFacts
  readonly after: ChurnFacts
  /** What the workers held when they were stopped. */
  readonly left: readonly unknown[]
}

const AT_ONCE = 200
const ROUND = 10_000
/** A worker younger than this stays down when it crashes. */
const YOUNG_MS = 1_500
const USERS = new URL('./users.ts', import.meta.url).pathname

/**
 * Users come and go through two proxies of reactors in whatever state, applications too; the proxies themselves cut connections, close
 * pools and servers in the middle of everything, and now and then a worker crashes. Between rounds nothing may be left.
 */
export async function churn({ connections, seed, round: most = ROUND, onRound }: ChurnOptions): Promise<ChurnResult> {
  const next = numbers(seed)
  const ca = new TestCa()
  const [clientCertificate, serverCertificate] = [ca.certify(CLIENT), ca.certify(SERVER)]
  const users = fork(USERS, [String(seed)])
  const [appPort] = (await once(users, 'message')) as [number]
  let crashes = 0
  const onCrash = (): void => void crashes++
  const components = { logger: silentLogger, clock: systemClock, onCrash }
  const [near, far] = [await Reactor.start(components), await Reactor.start(components)]
  const startedMs = [performance.now(), performance.now()]
  let opened = 0
  let copied = 0
  const facts = async (): Promise<ChurnFacts> => {
    const [a, b] = [await factsOf(near), await factsOf(far)]
    return {
      opened,
      copied,
      descriptors: readdirSync('/proc/self/fd').length,
      residentBytes: residentBytes(),
      // Certificates stay for the next round.
      handles: a.handles + b.handles - a.contexts - b.contexts,
      sessions: a.sessions + b.sessions,
      outputBuffers: a.outputBuffers + b.outputBuffers,
      timers: a.timers + b.timers,
      crashes,
    }
  }
  const round = async (count: number): Promise<void> => {
    const to = { ip: ip('127.0.0.1'), port: appPort }
    const hbone = new ReactorServer({
      reactor: far,
      certificate: () => serverCertificate,
      onRequest: async (request) => {
        const fate = next(20)
        if (fate === 0) return request.reject(401)
        const signal = fate < 3 ? cutSoon() : undefined
        const fd = clientFd(undefined, to.ip, {})
        await request.acceptAndConnect(fd, { to, timeoutMs: 10_000, signal }).catch(() => request.reject(503))
      },
      onTlsError: () => undefined,
      clock: systemClock,
      logger: silentLogger,
    })
    const server = listenWith(far, (connection) => hbone.accept(connection))
    const address = await portOf(server.fd)
    let pool = newPool()
    const open = (connection: ReactorConnection): void => {
      const fate = next(20)
      if (fate === 0) return connection.cut()
      const request = {
        source: CLIENT,
        sourceIp: LOOPBACK.ip,
        to: address,
        expected: [SERVER],
        authority: '10.0.0.1:80',
        signal: fate < 3 ? cutSoon() : undefined,
      }
      pool.openAndCopy(request, connection).then(
        () => copied++,
        () => connection.cut(),
      )
    }
    const client = listenWith(near, open)
    const order: Order = { port: (await portOf(client.fd)).port, count, atOnce: AT_ONCE }
    users.send(order)
    const over = once(users, 'message') as Promise<[Done]>
    let isOver = false
    void over.then(([done]) => {
      isOver = true
      opened += done.opened
    })
    while (!isOver) {
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 20 + next(200)))])
      const fate = next(100)
      if (fate < 5) {
        const before = pool
        pool = newPool()
        await before.close()
      } else if (fate === 5) {
        const which = next(2)
        if (performance.now() - (startedMs[which] ?? 0) < YOUNG_MS) continue
        const doomed = which === 0 ? near : far
        doomed.crash()
        startedMs[which] = Number.POSITIVE_INFINITY
        void factsOf(doomed).then(() => {
          startedMs[which] = performance.now()
        })
      }
    }
    client.listening[Symbol.dispose]()
    server.listening[Symbol.dispose]()
    if (next(2) === 0) await hbone.close()
    await pool.close()
    await hbone.close()
  }
  const newPool = (): ReactorPool =>
    new ReactorPool({
      reactor: near,
      certificate: () => Promise.resolve(clientCertificate),
      clock: systemClock,
      logger: silentLogger,
    })
  const cutSoon = (): AbortSignal => {
    const cutting = new AbortController()
    setTimeout(() => cutting.abort(), next(30))
    return cutting.signal
  }
  try {
    // What is compiled and pooled at first is no leak.
    await round(Math.min(most, connections))
    await settled(facts)
    const before = await facts()
    while (opened < connections) {
      await round(Math.min(most, connections - opened))
      onRound?.(await settled(facts))
    }
    const after = await settled(facts)
    return { before, after, left: [await near.stop(), await far.stop()] }
  } finally {
    users.disconnect()
    await near.stop()
    await far.stop()
  }
}

/** Waits until nothing is open any more; a test's own limit says how long that may take. */
async function settled(facts: () => Promise<ChurnFacts>): Promise<ChurnFacts> {
  for (;;) {
    const now = await facts()
    if (now.handles === 0 && now.sessions === 0) return now
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Of the worker that takes the place of one that crashes meanwhile. */
async function factsOf(reactor: Reactor): Promise<ReactorFacts> {
  for (;;) {
    try {
      return await reactor.facts()
    } catch (error) {
      if (codeOf(error) !== 'ERR_REACTOR_CRASH') throw error
    }
  }
}

function residentBytes(): number {
  const [, kilobytes] = /^Rss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? []
  return Number(kilobytes) * 1024
}
