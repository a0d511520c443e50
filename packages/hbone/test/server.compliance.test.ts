import { silentLogger, systemClock } from '@ambit/core'
import test from 'ava'
import { framedEngine, nodeHttp2Engine, Reactor } from '../src/index.ts'
import { serverCompliance } from './server-compliance.ts'

let reactor: Reactor
test.before(async () => {
  reactor = await Reactor.start({ logger: silentLogger, clock: systemClock })
})

serverCompliance(test, 'node:http2', () => nodeHttp2Engine)
serverCompliance(test, 'framed', () => framedEngine)
serverCompliance(test, 'reactor', () => reactor)

test.after.always('nothing is left of all that', async (t) => {
  const facts = await reactor.stop()
  t.deepEqual(facts, { handles: 0, descriptors: 0, timers: 0, contexts: 0, sessions: 0, parsed: 0, outputBuffers: 0 })
})
