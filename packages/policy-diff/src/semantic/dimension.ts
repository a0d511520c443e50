/** What one who comes to a destination can vary. A header or a claim is a dimension of its own. */
export type Dimension =
  | 'client'
  | 'sourceIp'
  | 'sni'
  | 'host'
  | 'method'
  | 'path'
  | 'subject'
  | 'audience'
  | 'presenter'
  | `header ${string}`
  | `claim ${string}`

const FIELDS: Readonly<Record<string, Dimension>> = {
  principals: 'client',
  namespaces: 'client',
  serviceAccounts: 'client',
  trustDomains: 'client',
  ipBlocks: 'sourceIp',
  remoteIpBlocks: 'sourceIp',
  requestPrincipals: 'subject',
  hosts: 'host',
  methods: 'method',
  paths: 'path',
}

const KEYS: Readonly<Record<string, Dimension>> = {
  'source.principal': 'client',
  'source.namespace': 'client',
  'source.serviceAccount': 'client',
  'source.trustDomain': 'client',
  'source.ip': 'sourceIp',
  'remote.ip': 'sourceIp',
  'connection.sni': 'sni',
  'request.auth.principal': 'subject',
  'request.auth.audiences': 'audience',
  'request.auth.presenter': 'presenter',
}

/** Claims that a request principal, an audience or a presenter is made of. */
const STANDARD_CLAIMS: Readonly<Record<string, Dimension>> = {
  iss: 'subject',
  sub: 'subject',
  aud: 'audience',
  azp: 'presenter',
}

/** Undefined: a field whose value the destination decides, the same for all who come. */
export function dimensionOfField(name: string): Dimension | undefined {
  return Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined
}

/** As {@link dimensionOfField}, of a key of `when`. */
export function dimensionOfKey(key: string): Dimension | undefined {
  if (Object.hasOwn(KEYS, key)) return KEYS[key]
  const header = /^request\.headers\[(.+)\]$/.exec(key)?.[1]
  if (header !== undefined) return `header ${header}`
  const claim = /^request\.auth\.claims\[(.+)\]$/.exec(key)?.[1]
  return claim === undefined ? undefined : dimensionOfClaim(claim.split(']['))
}

export function dimensionOfClaim(path: readonly string[]): Dimension {
  const [first = '', second] = path
  const standard = second === undefined && Object.hasOwn(STANDARD_CLAIMS, first) ? STANDARD_CLAIMS[first] : undefined
  return standard ?? `claim ${path.join('][')}`
}

export function claimPath(dimension: `claim ${string}`): readonly string[] {
  return dimension.slice('claim '.length).split('][')
}

/** What only a request with a checked token has. */
export function isOfToken(dimension: Dimension): boolean {
  return TOKEN.has(dimension) || dimension.startsWith('claim ')
}

const TOKEN: ReadonlySet<string> = new Set(['subject', 'audience', 'presenter'])
const ORDER: readonly string[] = [
  'client',
  'sourceIp',
  'sni',
  'host',
  'method',
  'path',
  'subject',
  'audience',
  'presenter',
]

/** The order in which fields are told apart; a comparison keeps to it so that equal regions look alike. */
export function byOrder(a: Dimension, b: Dimension): number {
  const rank = (dimension: Dimension): number => {
    const at = ORDER.indexOf(dimension)
    return at < 0 ? ORDER.length : at
  }
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0)
}

/** What a proxy that sees only connections looks at. */
export function isOfConnection(dimension: Dimension): boolean {
  return dimension === 'client' || dimension === 'sourceIp'
}
