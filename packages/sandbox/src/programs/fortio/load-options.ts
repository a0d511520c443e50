export interface LoadOptions {
  readonly connections: number
  /** Calls a second; 0 for as many as there can be. */
  readonly qps: number
  readonly calls: number
  /** In place of a number of calls. */
  readonly durationMs: number | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly url: string | undefined
}

const MAX_CONNECTIONS = 1000
const MAX_CALLS = 1_000_000
/** Flags of fortio without a value. */
const SWITCHES = new Set(['quiet', 'k', 'stdclient', 'h2', 'keepalive=false', 'a'])

/** Flags as Go's: `-c 4`, `-c=4`, `--c 4`. Those that change nothing here are passed over. */
export function loadOptions(args: readonly string[]): LoadOptions {
  const values = new Map<string, string>()
  const headers: Record<string, string> = {}
  let url: string | undefined
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ''
    if (!arg.startsWith('-')) {
      url = arg
      continue
    }
    const [name = '', given] = arg.replace(/^--?/, '').split(/=(.*)/s)
    if (SWITCHES.has(name)) continue
    const value = given ?? args[++index] ?? ''
    if (name === 'H') {
      const [header = '', text = ''] = value.split(/:\s*(.*)/s)
      headers[header] = text
    } else values.set(name, value)
  }
  const number = (name: string, fallback: number, most: number): number => {
    const value = Number(values.get(name) ?? fallback)
    return Number.isFinite(value) && value >= 0 ? Math.min(value, most) : fallback
  }
  const seconds = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(values.get('t') ?? '')
  const unitMs = { ms: 1, s: 1000, m: 60_000 }[seconds?.[2] ?? 's'] ?? 1000
  return {
    connections: Math.max(1, Math.floor(number('c', 4, MAX_CONNECTIONS))),
    qps: number('qps', 8, MAX_CALLS),
    calls: Math.floor(number('n', 40, MAX_CALLS)),
    durationMs: seconds === null || values.has('n') ? undefined : Number(seconds[1]) * unitMs,
    headers,
    url: url === undefined || /^https?:\/\//.test(url) ? url : `http://${url}`,
  }
}
