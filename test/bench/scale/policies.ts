import { ip } from '../../../packages/core/src/index.ts'
import {
  type Authorization,
  compileCidr,
  EMPTY_MATCH,
  type HttpAuthorization,
  type Match,
  type PolicyScope,
} from '../../../packages/state/src/index.ts'

/** What tells the policies of one set apart. */
export const SUBJECTS = ['principals', 'accounts', 'prefixes', 'namespaces', 'ipBlocks', 'ports'] as const
export type Subject = (typeof SUBJECTS)[number]

export const NAMESPACE = 'shop'
export const TRUST_DOMAIN = 'cluster.local'

/** The client that policy number `index` is about. */
export const clientOf = (
  index: number,
): { readonly trustDomain: string; readonly namespace: string; readonly serviceAccount: string } => ({
  trustDomain: TRUST_DOMAIN,
  namespace: `client-${index}`,
  serviceAccount: 'web',
})

export const clientIpOf = (index: number): string => `10.${(index >> 8) & 255}.${index & 255}.7`

function principal(index: number): string {
  return `${TRUST_DOMAIN}/ns/client-${index}/sa/web`
}

function match(subject: Subject, index: number): Match {
  switch (subject) {
    case 'principals':
      return { ...EMPTY_MATCH, principals: [{ kind: 'exact', value: principal(index) }] }
    case 'accounts':
      return { ...EMPTY_MATCH, serviceAccounts: [{ namespace: `client-${index}`, serviceAccount: 'web' }] }
    case 'prefixes':
      return { ...EMPTY_MATCH, principals: [{ kind: 'prefix', value: `${TRUST_DOMAIN}/ns/client-${index}/` }] }
    case 'namespaces':
      return { ...EMPTY_MATCH, namespaces: [{ kind: 'exact', value: `client-${index}` }] }
    case 'ipBlocks':
      return { ...EMPTY_MATCH, sourceIps: [compileCidr({ ip: ip(clientIpOf(index)), length: 24 })] }
    case 'ports':
      return { ...EMPTY_MATCH, principals: [{ kind: 'presence' }], destinationPorts: [10_000 + index] }
  }
}

export interface PolicySet {
  readonly count: number
  readonly scope: PolicyScope
  readonly action: Authorization['action']
  readonly subject: Subject
}

/** That many policies in force for one workload, each about a client of its own. */
export function policySet({ count, scope, action, subject }: PolicySet): readonly Authorization[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `p${index}`,
    namespace: scope === 'Global' ? 'istio-system' : NAMESPACE,
    scope,
    action,
    dryRun: false,
    rules: [{ clauses: [{ matches: [match(subject, index)] }] }],
  }))
}

/** The same for a waypoint: from one principal, to one path. */
export function httpPolicySet(count: number, action: HttpAuthorization['action']): readonly HttpAuthorization[] {
  const nothing = { some: [], none: [] }
  return Array.from({ length: count }, (_, index) => ({
    name: `p${index}`,
    namespace: NAMESPACE,
    action,
    dryRun: false,
    rules: [
      {
        from: [
          {
            principals: { some: [{ kind: 'exact' as const, value: principal(index) }], none: [] },
            requestPrincipals: nothing,
            namespaces: nothing,
            serviceAccounts: nothing,
            trustDomains: nothing,
            ipBlocks: nothing,
            remoteIpBlocks: nothing,
          },
        ],
        to: [
          {
            hosts: nothing,
            ports: nothing,
            methods: { some: [{ kind: 'exact' as const, value: 'GET' }], none: [] },
            paths: { some: [{ kind: 'text' as const, text: { kind: 'prefix' as const, value: '/api/' } }], none: [] },
          },
        ],
        when: [],
        unknown: [],
      },
    ],
  }))
}
