// One ztunnel's state and its connection to the control plane, in a process of its own: `ADDRESS ROOTS_FILE [NAMES_FILE]`. With names
// they are demanded, without everything is subscribed to. Prints what it cost as JSON.
import { readFileSync } from 'node:fs'
import { TYPE_URLS } from '../../../packages/api/src/index.ts'
import { silentLogger, systemClock } from '../../../packages/core/src/index.ts'
import { PolicyStore, WorkloadStore } from '../../../packages/state/src/index.ts'
import { PrometheusMetrics } from '../../../packages/telemetry/src/index.ts'
import { DeltaClient } from '../../../packages/xds/src/index.ts'
import { subscriptions } from '../../../packages/ztunnel/src/xds-state.ts'
import { LoopWatch, threadCpuUs } from './loop-watch.ts'
import { settledMemory } from './memory.ts'
import { NODE_NAME } from './mesh-resources.ts'

const [address = '', roots = '', names] = process.argv.slice(2)
const clock = systemClock
const workloads = new WorkloadStore({ clock }, { nodeName: NODE_NAME })
const policies = new PolicyStore()
const demanded = names === undefined ? [] : readFileSync(names, 'utf8').split('\n')
const client = new DeltaClient(
  { clock, logger: silentLogger, metrics: new PrometheusMetrics() },
  {
    address,
    root: { file: roots },
    token: 'none',
    node: { id: 'ztunnel~10.0.0.1~ztunnel.istio-system~istio-system.svc.cluster.local' },
    types: subscriptions(workloads, policies, names !== undefined),
  },
)
// What a first connection makes the process load is not of the state.
const before = await settledMemory()
const watch = new LoopWatch()
const startedMs = performance.now()
const startedUs = threadCpuUs()
let firstMs: number | undefined
using _subscription = workloads.subscribe(() => {
  firstMs ??= performance.now()
})
client.start()
await client.synced
await Promise.all(demanded.map((name) => client.demand(TYPE_URLS.address, name)))
const endedMs = performance.now()
const cpuMs = (threadCpuUs() - startedUs) / 1000
await new Promise((resolve) => setImmediate(resolve))
const { longestMs, longestCpuMs } = watch
watch[Symbol.dispose]()
const peakRss = process.resourceUsage().maxRSS * 1024
const after = await settledMemory()
const held = { workloads: [...workloads.workloads()].length, services: [...workloads.services()].length }
console.log(
  JSON.stringify({
    ...held,
    ms: endedMs - startedMs,
    cpuMs,
    longestMs,
    longestCpuMs,
    heldBytes: after.held - before.held,
    rssBytes: after.rss - before.rss,
    peakRssBytes: peakRss - before.rss,
    heldPerWorkload: (after.held - before.held) / Math.max(1, held.workloads),
  }),
)
await client.close()
process.exit(0)
