import { readdirSync, readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { PrometheusMetrics } from './prometheus-metrics.ts'

/** Registers what every process tells about itself; disposing stops the event loop probe. */
export function registerProcessMetrics(metrics: PrometheusMetrics): Disposable {
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  const startSeconds = (Date.now() - performance.now()) / 1000
  metrics.gaugeFunction({ name: 'process_open_fds', help: 'Open file descriptors' }, openFds)
  metrics.gaugeFunction({ name: 'process_max_fds', help: 'Limit of open file descriptors' }, maxFds)
  metrics.gaugeFunction({ name: 'process_resident_memory_bytes', help: 'Resident memory' }, () =>
    process.memoryUsage.rss(),
  )
  metrics.gaugeFunction({ name: 'process_cpu_seconds', help: 'CPU time spent, user and system' }, () => {
    const usage = process.cpuUsage()
    return (usage.user + usage.system) / 1e6
  })
  metrics.gaugeFunction(
    { name: 'process_start_time_seconds', help: 'Start of the process since the epoch' },
    () => startSeconds,
  )
  metrics.gaugeFunction({ name: 'nodejs_heap_used_bytes', help: 'Heap in use' }, () => process.memoryUsage().heapUsed)
  metrics.gaugeFunction(
    { name: 'nodejs_eventloop_lag_p99_seconds', help: 'Event loop delay, 99th percentile since the last scrape' },
    () => {
      const seconds = delay.percentile(99) / 1e9
      delay.reset()
      return seconds
    },
  )
  return { [Symbol.dispose]: () => void delay.disable() }
}

function openFds(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return undefined
  }
}

function maxFds(): number | undefined {
  try {
    const line = readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+(\d+)/m)
    return line?.[1] === undefined ? undefined : Number(line[1])
  } catch {
    return undefined
  }
}
