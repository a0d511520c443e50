const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** Reads `30s`, `5m`, `1h30m`, `250ms` into milliseconds; undefined for anything else, bare numbers included. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim()
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w)\s*)+$/.test(trimmed)) return undefined
  let sum = 0
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)/g)) {
    sum += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0)
  }
  return Number.isFinite(sum) ? sum : undefined
}
