// `npm run check` runs it: what a unit of work costs in allocations, system calls and memory that is held, which do not depend on
// how busy a machine is, against budgets. Times are the benchmark's business.
import { silentLogger, systemClock } from '../../packages/core/src/index.ts'
import { framedEngine, nodeHttp2Engine, Reactor } from '../../packages/hbone/src/index.ts'
import { type Budget, TUNNEL_BUDGETS, VERDICT_BUDGETS } from './budgets.ts'
import { byEngine, byReactor, measureTunnel } from './tunnel.ts'
import { measureVerdict } from './verdict.ts'

/** Below this share of its budget a number is old, or what is measured does not happen any more. */
const STALE_BELOW = 0.3

let failures = 0

function hold(of: string, measured: Readonly<Record<string, number>>, budget: Budget | undefined): void {
  for (const [what, cost] of Object.entries(measured)) {
    const most = budget?.[what]
    const isStale = most !== undefined && most > 1 && cost < STALE_BELOW * most
    const problem =
      most === undefined
        ? 'has no budget'
        : cost > most
          ? `is over its budget of ${most.toLocaleString('en')}`
          : isStale
            ? `is far below its budget of ${most.toLocaleString('en')}: lower that, or mend what is measured`
            : undefined
    const line = `${of}, ${what}: ${cost.toLocaleString('en', { maximumFractionDigits: 1 })}`
    if (problem === undefined) console.log(`costs: ${line} (at most ${most?.toLocaleString('en')})`)
    else console.error(`costs: ${line} ${problem}`)
    if (problem !== undefined) failures++
  }
}

const reactor = await Reactor.start({ logger: silentLogger, clock: systemClock })
const ways = new Map([
  ...[nodeHttp2Engine, framedEngine].map((engine) => [engine.name, byEngine(engine)] as const),
  ['reactor', byReactor(reactor)] as const,
])
for (const [name, way] of ways) {
  const { roundTrip, connection, idleBytes } = await measureTunnel(way)
  const measured = {
    'round trip: bytes allocated': roundTrip.allocated,
    'round trip: system calls': roundTrip.systemCalls,
    'connection: bytes allocated': connection.allocated,
    'connection: system calls': connection.systemCalls,
    'idle connection: bytes held': idleBytes,
  }
  hold(`tunnel by ${name}`, measured, TUNNEL_BUDGETS[name])
}
for (const [count, budget] of VERDICT_BUDGETS) {
  const { allocated, lookedAt } = await measureVerdict(count)
  const measured = { 'verdict: bytes allocated': allocated, 'verdict: rules looked at': lookedAt }
  hold(`${count.toLocaleString('en')} policies`, measured, budget)
}
await reactor.stop()
if (failures > 0) process.exit(1)
process.exit(0)
