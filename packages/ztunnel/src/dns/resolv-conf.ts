import type { Ip } from '@ambit/core'
import { parseIp } from '@ambit/core'

/** Name servers used of one resolv.conf (resolv.conf(5) has the same limit). */
const MAX_NAMESERVERS = 3

export interface ResolvConf {
  readonly nameservers: readonly Ip[]
  readonly search: readonly string[]
}

/** Reads the two directives the proxy needs; anything else is for the system's own resolver. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: Ip[] = []
  let search: readonly string[] = []
  for (const line of text.split('\n')) {
    const [directive, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    const server = directive === 'nameserver' ? parseIp(values[0] ?? '') : undefined
    if (server !== undefined && nameservers.length < MAX_NAMESERVERS) nameservers.push(server)
    if (directive === 'search' || directive === 'domain')
      search = values.map((value) => value.toLowerCase().replace(/\.$/, ''))
  }
  return { nameservers, search: search.filter((domain) => domain !== '') }
}
