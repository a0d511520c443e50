const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** A Kubernetes quantity (`250m`, `1Gi`, `2e3`) as a number; undefined when it isn't one. */
export function parseQuantity(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  const match = typeof value === 'string' ? QUANTITY.exec(value) : null
  if (match === null) return undefined
  return Number(`${match[1]}${match[2] ?? ''}`) * (FACTORS[match[3] ?? ''] ?? 1)
}

/** The shortest plain quantity of a number: whole units, binary units where they fit, else thousandths. */
export function formatQuantity(value: number, binary = false): string {
  if (binary)
    for (const [suffix, factor] of [
      ['Gi', 2 ** 30],
      ['Mi', 2 ** 20],
      ['Ki', 2 ** 10],
    ] as const)
      if (value !== 0 && value % factor === 0) return `${value / factor}${suffix}`
  return Number.isInteger(value) ? String(value) : `${Math.ceil(value * 1000)}m`
}
