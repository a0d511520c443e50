import type { Flow, FlowState } from './flow.types.ts'

/** Which flows somebody wants. */
export interface FlowQuery {
  readonly watch: boolean
  /** Empty: all. */
  readonly states: ReadonlySet<FlowState>
  /** Of client, server or service; empty: all. */
  readonly namespaces: ReadonlySet<string>
  readonly id: string | undefined
  /** Denials and failures from then on only, ms since 1970. */
  readonly sinceMs: number
}

export type FlowQueryVerdict =
  | { readonly ok: true; readonly query: FlowQuery }
  | { readonly ok: false; readonly reason: string }

const STATES: ReadonlySet<string> = new Set<FlowState>(['open', 'closed', 'denied', 'failed'])
const NAMES: ReadonlySet<string> = new Set(['watch', 'state', 'since', 'namespace', 'id'])
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Reads `watch=true&state=denied&since=10m`; `since` is a time or a duration, `state` and `namespace` may be repeated. */
export function readFlowQuery(params: URLSearchParams, nowMs: number): FlowQueryVerdict {
  for (const name of params.keys()) {
    if (!NAMES.has(name))
      return { ok: false, reason: `unknown parameter ${JSON.stringify(name)}; there are: ${[...NAMES].join(', ')}` }
  }
  const watch = params.get('watch') ?? 'false'
  if (watch !== 'true' && watch !== 'false') return { ok: false, reason: 'watch is true or false' }
  const states = params.getAll('state')
  const unknown = states.find((state) => !STATES.has(state))
  if (unknown !== undefined)
    return { ok: false, reason: `unknown state ${JSON.stringify(unknown)}; there are: ${[...STATES].join(', ')}` }
  const sinceMs = readSince(params.get('since') ?? undefined, nowMs)
  if (sinceMs === undefined)
    return { ok: false, reason: 'since is a time as 2026-11-21T18:00:00Z, or a duration as 90s or 10m' }
  return {
    ok: true,
    query: {
      watch: watch === 'true',
      states: new Set(states as FlowState[]),
      namespaces: new Set(params.getAll('namespace')),
      id: params.get('id') ?? undefined,
      sinceMs,
    },
  }
}

function readSince(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return 0
  const [, count, unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? []
  if (count !== undefined) return nowMs - Number(count) * (UNIT_MS[unit] ?? 0)
  const time = Date.parse(text)
  return /^\d{4}-/.test(text) && !Number.isNaN(time) ? time : undefined
}

/** Whether a flow is one of those that are wanted. */
export function isWanted(flow: Flow, { states, namespaces, id, sinceMs }: FlowQuery): boolean {
  if (states.size > 0 && !states.has(flow.state)) return false
  if (id !== undefined && flow.id !== id) return false
  if (namespaces.size > 0 && !namespacesOf(flow).some((namespace) => namespaces.has(namespace))) return false
  return sinceMs === 0 || flow.state === 'open' || Date.parse(flow.at) >= sinceMs
}

function namespacesOf({ client, server, service }: Flow): readonly string[] {
  return [client.namespace ?? '', server.namespace ?? '', service?.namespace ?? '']
}
