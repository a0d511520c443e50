/** What a field may hold. */
export type Shape =
  | 'text'
  | 'texts'
  | 'boolean'
  /** A mapping of texts. */
  | 'labels'
  | { readonly choices: readonly string[] }
  | { readonly list: Shape }
  /** A mapping whose names are the author's. */
  | { readonly values: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> }

const SELECTOR: Shape = { fields: { matchLabels: 'labels' } }
const TARGET: Shape = { fields: { group: 'text', kind: 'text', name: 'text', namespace: 'text' } }
const MTLS: Shape = { fields: { mode: { choices: ['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'] } } }

/** Fields and their negatives. */
function either(names: readonly string[]): Readonly<Record<string, Shape>> {
  return Object.fromEntries(
    names.flatMap((name): readonly [string, Shape][] => [
      [name, 'texts'],
      [`not${name.charAt(0).toUpperCase()}${name.slice(1)}`, 'texts'],
    ]),
  )
}

const SOURCE = either([
  'principals',
  'requestPrincipals',
  'namespaces',
  'serviceAccounts',
  'ipBlocks',
  'remoteIpBlocks',
  'trustDomains',
])
const OPERATION = either(['hosts', 'ports', 'methods', 'paths'])

const RULE: Shape = {
  fields: {
    from: { list: { fields: { source: { fields: SOURCE } } } },
    to: { list: { fields: { operation: { fields: OPERATION } } } },
    when: { list: { fields: { key: 'text', values: 'texts', notValues: 'texts' } } },
  },
}

const JWT_RULE: Shape = {
  fields: {
    issuer: 'text',
    audiences: 'texts',
    jwks: 'text',
    jwksUri: 'text',
    jwks_uri: 'text',
    fromHeaders: { list: { fields: { name: 'text', prefix: 'text' } } },
    fromParams: 'texts',
    fromCookies: 'texts',
    forwardOriginalToken: 'boolean',
    outputPayloadToHeader: 'text',
    outputClaimToHeaders: { list: { fields: { header: 'text', claim: 'text' } } },
    presence: { choices: ['OPTIONAL', 'REQUIRED'] },
    spaceDelimitedClaims: 'texts',
    timeout: 'text',
  },
}

/** `spec` of the kinds that decide who may reach whom: a test checks them against the schemas of `deploy`. */
export const POLICY_SHAPES: Readonly<Record<string, Readonly<Record<string, Shape>>>> = {
  AuthorizationPolicy: {
    action: { choices: ['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'] },
    provider: { fields: { name: 'text' } },
    rules: { list: RULE },
    selector: SELECTOR,
    targetRef: TARGET,
    targetRefs: { list: TARGET },
  },
  PeerAuthentication: { mtls: MTLS, portLevelMtls: { values: MTLS }, selector: SELECTOR },
  RequestAuthentication: {
    jwtRules: { list: JWT_RULE },
    selector: SELECTOR,
    targetRef: TARGET,
    targetRefs: { list: TARGET },
  },
}
