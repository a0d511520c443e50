import { MAX_FLOW_FIELDS, MAX_FLOW_TEXT, WITHHELD } from '@ambit/flow'
import type { HttpFacts } from '@ambit/policy'

/** What they carry lets whoever reads it act as the client. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie'])

/** Of those headers only that policies read; of credentials only that there are some. Undefined when there is none of them. */
export function shownHeaders(
  names: readonly string[],
  http: Pick<HttpFacts, 'header'>,
): Readonly<Record<string, string>> | undefined {
  const shown: [string, string][] = []
  for (const name of names) {
    const value = http.header(name)
    if (value === undefined) continue
    if (shown.length >= MAX_FLOW_FIELDS) break
    shown.push([name, CREDENTIALS.has(name) ? WITHHELD : value.slice(0, MAX_FLOW_TEXT)])
  }
  return shown.length === 0 ? undefined : Object.fromEntries(shown)
}

/** Of those claims only that policies read; one too long to show is left out. */
export function shownClaims(
  names: readonly string[],
  claims: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  const shown = names
    .filter((name) => Object.hasOwn(claims, name))
    .map((name) => [name, claims[name]] as const)
    .filter(([, value]) => (JSON.stringify(value) ?? '').length <= MAX_FLOW_TEXT)
    .slice(0, MAX_FLOW_FIELDS)
  return shown.length === 0 ? undefined : Object.fromEntries(shown)
}
