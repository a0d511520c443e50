import type { Design } from './design.types.ts'
import { runLoad } from './load.ts'
import type { Process } from './processes.ts'
import { align, median } from './report.ts'

/** What the proxies of a design hold, and how fast they are, once in a while. */
export interface SoakSample {
  /** Since the start, minutes. */
  readonly minutes: number
  readonly residentBytes: number
  readonly descriptors: number
  readonly p50Us: number
  readonly p99Us: number
  /** Connections made since the start. */
  readonly connections: number
}

const PARALLEL = 32
const REQUEST_BYTES = 1024
const STEP_SECONDS = 3
const BULK_BYTES = 64 * 1024 ** 2
const MINUTE_MS = 60_000
/** What is freed late is freed by then. */
const SETTLE_MS = 2000

/** Churn for as long as is asked: new connections, abandoned ones, requests, uploads; then quiet, and a look. */
export async function soak(
  load: string,
  design: Design,
  proxies: readonly Process[],
  minutes: number,
  onSample: (sample: SoakSample) => void,
): Promise<readonly SoakSample[]> {
  const started = performance.now()
  const samples: SoakSample[] = []
  let connections = 0
  const elapsed = (): number => (performance.now() - started) / MINUTE_MS
  while (elapsed() < minutes) {
    const made = await runLoad(load, design, 'connect', [PARALLEL, STEP_SECONDS])
    const left = await runLoad(load, design, 'abandon', [PARALLEL, STEP_SECONDS])
    await runLoad(load, design, 'bulk', [4, BULK_BYTES])
    const { p50 = 0, p99 = 0 } = await runLoad(load, design, 'rr', [PARALLEL, REQUEST_BYTES, STEP_SECONDS])
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    connections += (made.count ?? 0) + (left.total ?? 0)
    for (const proxy of proxies) if (!proxy.alive) throw new Error(`${proxy.name} ended:\n${proxy.tail}`)
    const sample = {
      minutes: elapsed(),
      residentBytes: proxies.reduce((sum, proxy) => sum + proxy.residentBytes(), 0),
      descriptors: proxies.reduce((sum, proxy) => sum + proxy.descriptors(), 0),
      p50Us: p50,
      p99Us: p99,
      connections,
    }
    samples.push(sample)
    onSample(sample)
  }
  return samples
}

/** Quarters of the time beside each other, and the slope an hour over all but the first quarter, in which everything warms up. */
export function soakTable(samples: readonly SoakSample[]): readonly string[] {
  const columns: readonly (readonly [string, (sample: SoakSample) => number, number])[] = [
    ['RSS MiB', ({ residentBytes }) => residentBytes / 1024 ** 2, 1],
    ['descriptors', ({ descriptors }) => descriptors, 0],
    ['p50 us', ({ p50Us }) => p50Us, 0],
    ['p99 us', ({ p99Us }) => p99Us, 0],
    ['connections', ({ connections }) => connections, 0],
  ]
  const last = samples.at(-1)?.minutes ?? 0
  const quarter = (i: number): readonly SoakSample[] =>
    samples.filter(({ minutes }) => minutes > (last * i) / 4 && minutes <= (last * (i + 1)) / 4)
  const later = samples.filter(({ minutes }) => minutes > last / 4)
  const rows = [0, 1, 2, 3].map((i) => [
    `quarter ${i + 1}`,
    ...columns.map(([, read, digits]) => (median(quarter(i).map(read)) ?? 0).toFixed(digits)),
  ])
  const slopes = columns.map(([, read, digits]) =>
    (60 * slope(later.map((each) => [each.minutes, read(each)]))).toFixed(digits),
  )
  return align([['', ...columns.map(([title]) => title)], ...rows, ['slope an hour', ...slopes]])
}

/** Of the line through the points that is nearest to them by squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (read: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + read(point), 0) / points.length
  const [x, y] = [mean(([at]) => at), mean(([, value]) => value)]
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0)
  return spread === 0 ? 0 : points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread
}
