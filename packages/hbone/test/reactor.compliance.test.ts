import { silentLogger, systemClock } from '@ambit/core'
import test from 'ava'
import { framedEngine, nodeHttp2Engine, Reactor } from '../src/index.ts'
import { proxyCompliance } from './proxy-compliance.ts'

let reactor: Reactor
test.before(async () => {
  reactor = await Reactor.start({ logger: silentLogger, clock: systemClock })
})

const own = () => ({ reactor })
const inSteps = () => ({ reactor, steps: true })
proxyCompliance(test, 'reactor', () => ({ client: own(), server: own() }))
proxyCompliance(test, 'reactor in steps', () => ({ client: inSteps(), server: inSteps() }))
proxyCompliance(test, 'reactor to framed', () => ({ client: own(), server: { engine: framedEngine } }))
proxyCompliance(test, 'framed to reactor', () => ({ client: { engine: framedEngine }, server: own() }))
proxyCompliance(test, 'reactor to node:http2', () => ({ client: own(), server: { engine: nodeHttp2Engine } }))
proxyCompliance(test, 'node:http2 to reactor', () => ({ client: { engine: nodeHttp2Engine }, server: own() }))
proxyCompliance(test, 'framed', () => ({ client: { engine: framedEngine }, server: { engine: framedEngine } }))

test.after.always('nothing is left of all that', async (t) => {
  const facts = await reactor.stop()
  t.deepEqual(facts, { handles: 0, descriptors: 0, timers: 0, contexts: 0, sessions: 0, parsed: 0, outputBuffers: 0 })
})
