// Loaded into the measured process before its own code: tells over IPC what it spends.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ProcessSample, ToProbe } from './messages.types.ts'

const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
process.on('message', ({ collect }: ToProbe) => {
  const { user, system } = process.cpuUsage()
  if (collect) globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  const sample: ProcessSample = {
    cpuMs: (user + system) / 1000,
    rssBytes: rss,
    heapBytes: heapUsed,
    externalBytes: external,
    loopP99Ms: delay.percentile(99) / 1e6,
    loopMaxMs: delay.max / 1e6,
  }
  delay.reset()
  process.send?.(sample)
})
// The measured process ends by its own rules.
process.channel?.unref()
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
