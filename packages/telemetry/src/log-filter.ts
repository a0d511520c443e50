import type { LogLevel } from '@ambit/core'
import { MAX_FILTER_LENGTH } from './limits.ts'

export type FilterLevel = LogLevel | 'off'

/** One clause of a filter: a level for a scope and everything below it, or for all scopes. */
export interface FilterClause {
  /** Undefined: the default level. */
  readonly scope: string | undefined
  readonly level: FilterLevel
}

/** Clauses in the order written; for one scope the last one counts, between scopes the longest. */
export interface LogFilter {
  readonly clauses: readonly FilterClause[]
}

export type FilterParse =
  | { readonly ok: true; readonly filter: LogFilter }
  | { readonly ok: false; readonly reason: string }

const RANK: Readonly<Record<FilterLevel, number>> = { off: 0, error: 1, warn: 2, info: 3, debug: 4, trace: 5 }

/**
 * Reads the RUST_LOG form `info,access=debug,xds=off`. A bare word must be a level: a bare scope is refused, because
 * upstream's endpoint does so and it is nearly always a typing error.
 */
export function parseLogFilter(text: string): FilterParse {
  if (text.length > MAX_FILTER_LENGTH) return { ok: false, reason: `longer than ${MAX_FILTER_LENGTH} characters` }
  const clauses: FilterClause[] = []
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue
    const clause = parseClause(part)
    if (clause === undefined) return { ok: false, reason: `not a level nor scope=level: ${JSON.stringify(part)}` }
    clauses.push(clause)
  }
  return { ok: true, filter: { clauses } }
}

/** The filter with `more` laid over it; a clause replaces the earlier one of the same scope. */
export function mergeFilters(base: LogFilter, more: LogFilter): LogFilter {
  const replaced = new Set(more.clauses.map((clause) => clause.scope))
  return { clauses: [...base.clauses.filter((clause) => !replaced.has(clause.scope)), ...more.clauses] }
}

export function formatLogFilter(filter: LogFilter): string {
  const named = filter.clauses.filter((clause) => clause.scope !== undefined)
  const bare = filter.clauses.findLast((clause) => clause.scope === undefined)
  return [
    ...named.map((clause) => `${clause.scope}=${clause.level}`),
    ...(bare === undefined ? [] : [bare.level]),
  ].join(',')
}

/** The most verbose rank that is still printed for a scope. */
export function rankFor(filter: LogFilter, scope: string): number {
  let best: FilterClause | undefined
  for (const clause of filter.clauses) {
    if (!covers(clause.scope, scope)) continue
    if (best === undefined || (clause.scope ?? '').length >= (best.scope ?? '').length) best = clause
  }
  return best === undefined ? RANK.off : RANK[best.level]
}

export function rankOf(level: LogLevel): number {
  return RANK[level]
}

function covers(clause: string | undefined, scope: string): boolean {
  if (clause === undefined || clause === scope) return true
  return scope.startsWith(clause) && scope[clause.length] === ':'
}

function parseClause(text: string): FilterClause | undefined {
  const equals = text.lastIndexOf('=')
  const level = parseLevel(text.slice(equals + 1))
  if (level === undefined) return undefined
  const scope = equals < 0 ? undefined : text.slice(0, equals)
  return scope === '' || (scope !== undefined && !/^[\w:.-]+$/.test(scope)) ? undefined : { scope, level }
}

function parseLevel(text: string): FilterLevel | undefined {
  const level = text.toLowerCase()
  return Object.hasOwn(RANK, level) ? (level as FilterLevel) : undefined
}
