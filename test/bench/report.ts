import type { Metric } from './measure.ts'

export interface Column<M extends string = Metric> {
  readonly metric: M
  readonly title: string
  readonly digits: number
  readonly scale?: number
}

const MIB = 1024 ** 2

export const COLUMNS: readonly Column[] = [
  { metric: 'bulk1Gbps', title: 'bulk1 Gb/s', digits: 2 },
  { metric: 'bulk16Gbps', title: 'bulk16 Gb/s', digits: 2 },
  { metric: 'cpuPerGiB', title: 'CPU s/GiB', digits: 2 },
  { metric: 'rr1Rate', title: 'rr1 /s', digits: 0 },
  { metric: 'rr1P50', title: 'p50 us', digits: 0 },
  { metric: 'rr1P99', title: 'p99 us', digits: 0 },
  { metric: 'rr32Rate', title: 'rr32 /s', digits: 0 },
  { metric: 'rr32P50', title: 'p50 us', digits: 0 },
  { metric: 'rr32P99', title: 'p99 us', digits: 0 },
  { metric: 'cpuPer10kRequests', title: 'CPU s/10k', digits: 2 },
  { metric: 'connectRate', title: 'conn /s', digits: 0 },
  { metric: 'connectP99', title: 'p99 us', digits: 0 },
  { metric: 'idleBytes', title: 'KiB/idle', digits: 1, scale: 1 / 1024 },
  { metric: 'miceP99', title: 'mice p99', digits: 0 },
  { metric: 'miceBesideElephantP99', title: '+elephant', digits: 0 },
  { metric: 'baseBytes', title: 'RSS MiB', digits: 0, scale: 1 / MIB },
  { metric: 'afterStormBytes', title: '+storm', digits: 1, scale: 1 / MIB },
]

/** Samples of one design over the rounds. */
export type Results<M extends string = Metric> = ReadonlyMap<string, readonly Readonly<Partial<Record<M, number>>>[]>

/** Middle value; the mean of the two middle ones when there are two. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2
}

/** Rows of measured values: medians over the rounds. */
export function valueRows<M extends string>(
  results: Results<M>,
  columns: readonly Column<M>[],
): readonly (readonly string[])[] {
  const header = ['design', ...columns.map((column) => column.title)]
  const rows = [...results.keys()].map((design) => [
    design,
    ...columns.map((column) => {
      const value = medianOf(results, design, column.metric)
      return value === undefined ? '-' : (value * (column.scale ?? 1)).toFixed(column.digits)
    }),
  ])
  return [header, ...rows]
}

/** Rows of ratios to one design; undefined when it was not measured. */
export function ratioRows<M extends string>(
  results: Results<M>,
  base: string,
  columns: readonly Column<M>[],
): readonly (readonly string[])[] | undefined {
  if ((results.get(base)?.length ?? 0) === 0) return undefined
  const header = [`relative to ${base}`, ...columns.map((column) => column.title)]
  const rows = [...results.keys()]
    .filter((design) => design !== base)
    .map((design) => [
      design,
      ...columns.map((column) => {
        const value = medianOf(results, design, column.metric)
        const reference = medianOf(results, base, column.metric)
        return value === undefined || reference === undefined || reference === 0 ? '-' : (value / reference).toFixed(2)
      }),
    ])
  return [header, ...rows]
}

function medianOf<M extends string>(results: Results<M>, design: string, metric: M): number | undefined {
  const values = (results.get(design) ?? []).map((sample) => sample[metric]).filter((value) => value !== undefined)
  return median(values)
}

/** Right-aligned columns, the first one left-aligned. */
export function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  )
}
