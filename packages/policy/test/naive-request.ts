// What policies for requests mean, written from the reference: shares nothing with what is compiled.
import { ALLOW, CUSTOM, DENY, type Policy, type RequestShape, type Rule } from './request-helpers.ts'

type Texts = readonly (string | undefined)[]

function hits(pattern: string, text: string | undefined, emptyIsPresent = false): boolean {
  if (text === undefined) return false
  if (pattern === '*') return emptyIsPresent || text.length > 0
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1))
  if (pattern.endsWith('*')) return text.startsWith(pattern.slice(0, -1))
  return text === pattern
}

function lists(positive: readonly string[], negative: readonly string[], hit: (value: string) => boolean): boolean {
  return (positive.length === 0 || positive.some(hit)) && !negative.some(hit)
}

function inNetwork(network: string, address: string): boolean {
  const [base = '', bits = '32'] = network.split('/')
  if (base.includes(':')) return false
  const binary = (ip: string): string =>
    ip
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join('')
  return binary(address).startsWith(binary(base).slice(0, Number(bits)))
}

/** The reference says templates in terms of text: an operator stands for a regular expression. */
function pathHits(pattern: string, path: string): boolean {
  if (!/\{\*\*?\}/.test(pattern)) return hits(pattern, path)
  return new RegExp(`^${pattern.replace('{**}', '.REST').replaceAll('{*}', '[^/]+').replace('.REST', '.*')}$`).test(
    path,
  )
}

function naiveRule({ from = [], to = [], when = [] }: Rule, shape: RequestShape, allows: boolean): boolean {
  const http = shape.tcp !== true
  let asksHttp = false
  const httpLists = (
    positive: readonly string[],
    negative: readonly string[],
    hit: (value: string) => boolean,
  ): boolean => {
    if (positive.length + negative.length === 0) return true
    asksHttp = true
    return http ? lists(positive, negative, hit) : true
  }
  const { identity } = shape
  const [domain, , namespace, , account] = identity?.split('/') ?? []
  const subject = shape.token?.principal
  const fromHolds = from.map((s) =>
    [
      lists(s.principals ?? [], s.notPrincipals ?? [], (v) => hits(v, identity)),
      lists(s.namespaces ?? [], s.notNamespaces ?? [], (v) => hits(v, namespace)),
      lists(s.serviceAccounts ?? [], s.notServiceAccounts ?? [], (v) => v === `${namespace}/${account}`),
      lists(s.trustDomains ?? [], s.notTrustDomains ?? [], (v) => hits(v, domain)),
      lists(s.ipBlocks ?? [], s.notIpBlocks ?? [], (v) => inNetwork(v, shape.sourceIp ?? '')),
      lists(s.remoteIpBlocks ?? [], s.notRemoteIpBlocks ?? [], (v) => inNetwork(v, shape.remoteIp ?? '')),
      httpLists(s.requestPrincipals ?? [], s.notRequestPrincipals ?? [], (v) => hits(v, subject)),
    ].every(Boolean),
  )
  const toHolds = to.map((o) =>
    [
      httpLists(o.hosts ?? [], o.notHosts ?? [], (v) => hits(v.toLowerCase(), shape.host?.toLowerCase())),
      lists(o.ports ?? [], o.notPorts ?? [], (v) => v === String(shape.port)),
      httpLists(o.methods ?? [], o.notMethods ?? [], (v) => hits(v, shape.method)),
      httpLists(o.paths ?? [], o.notPaths ?? [], (v) => pathHits(v, shape.path ?? '')),
    ].every(Boolean),
  )
  const whenHolds = when.map(({ key, values = [], notValues = [] }) => {
    const claim = shape.token?.claims['team']
    const claimTexts: Texts = (Array.isArray(claim) ? claim : [claim]).filter((text) => typeof text === 'string')
    switch (key) {
      case 'request.headers[x-team]':
        return httpLists(values, notValues, (v) => hits(v, shape.headers?.['x-team'], true))
      case 'connection.sni':
        return lists(values, notValues, (v) => hits(v, shape.sni))
      case 'request.auth.claims[team]':
        return httpLists(values, notValues, (v) => claimTexts.some((text) => hits(v, text)))
      default:
        return lists(values, notValues, (v) => inNetwork(v, shape.destinationIp ?? ''))
    }
  })
  if (allows && !http && asksHttp) return false
  const any = (list: readonly boolean[]): boolean => list.length === 0 || list.includes(true)
  return any(fromHolds) && any(toHolds) && whenHolds.every(Boolean)
}

/** `isMissing`: a policy in force has not been received. */
export function naiveVerdict(list: readonly Policy[], shape: RequestShape, isMissing: boolean = false): boolean {
  if (isMissing) return false
  const enforced = list.filter(({ dryRun }) => dryRun !== true)
  const matches = ({ action, rules = [] }: Policy): boolean =>
    rules.some((rule) => naiveRule(rule, shape, action === ALLOW))
  if (enforced.some((policy) => policy.action === CUSTOM && matches(policy))) return false
  if (enforced.some((policy) => policy.action === DENY && matches(policy))) return false
  const allow = enforced.filter(({ action }) => action === ALLOW)
  return allow.length === 0 || allow.some(matches)
}
