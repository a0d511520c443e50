import { align, type Column, type Results, ratioRows, valueRows } from '../report.ts'
import type { HttpVersion } from './http-design.types.ts'
import type { HttpMetric } from './measure-http.ts'

const COLUMNS: readonly Column<HttpMetric>[] = [
  { metric: 'one.rate', title: '1 client /s', digits: 0 },
  { metric: 'one.p50', title: 'p50 us', digits: 0 },
  { metric: 'one.p99', title: 'p99 us', digits: 0 },
  { metric: 'one.cpu', title: 'CPU s/10k', digits: 2 },
  { metric: 'many.rate', title: '32 clients /s', digits: 0 },
  { metric: 'many.p50', title: 'p50 us', digits: 0 },
  { metric: 'many.p99', title: 'p99 us', digits: 0 },
  { metric: 'many.cpu', title: 'CPU s/10k', digits: 2 },
  { metric: 'many.busy', title: 'busy %', digits: 0, scale: 100 },
  { metric: 'many.endsCpu', title: 'ends s/10k', digits: 2 },
  { metric: 'many.clientCpu', title: 'client s/10k', digits: 2 },
]

const TITLES: Readonly<Record<HttpVersion, string>> = { h1: 'HTTP/1.1', h2: 'HTTP/2' }
const BASES = ['nginx', 'haproxy'] as const

export function printHttp(
  results: ReadonlyMap<HttpVersion, Results<HttpMetric>>,
  rounds: number,
  facts: readonly string[],
): void {
  console.log(`\nMedians of ${rounds} interleaved rounds, answers of 1 KiB; everything shares the CPUs.`)
  for (const fact of facts) console.log(fact)
  console.log('CPU s/10k and busy: the proxy alone, of one thread. Compare within a column; quote ratios.\n')
  for (const [version, samples] of results) {
    const [header = [], ...rows] = valueRows(samples, COLUMNS)
    const tables = [
      [header.with(0, TITLES[version]), ...rows],
      ...BASES.map((base) => ratioRows(samples, base, COLUMNS)),
    ]
    for (const table of tables) {
      if (table === undefined) continue
      for (const line of align(table)) console.log(line)
      console.log('')
    }
  }
}
