import { waypointpb as pb } from '@ambit/api'
import { ip, type SpiffeId } from '@ambit/core'
import { HttpPolicyStore } from '@ambit/state'
import { create, toBinary } from '@bufbuild/protobuf'
import {
  authorizeRequest,
  CompiledRequestPolicies,
  type RequestFacts,
  type RequestVerdict,
  type TokenFacts,
  type Trace,
  type TrustDomains,
  traceRequest,
} from '../src/index.ts'

type Fields<M> = { [K in Exclude<keyof M, '$typeName' | '$unknown'>]?: M[K] }
export type Source = Fields<pb.HttpAuthorization_Source>
export type Operation = Fields<pb.HttpAuthorization_Operation>
export type Condition = Fields<pb.HttpAuthorization_Condition>

export interface Rule {
  readonly from?: Source[]
  readonly to?: Operation[]
  readonly when?: Condition[]
  readonly unknown?: string[]
}

export interface Policy extends Omit<Fields<pb.HttpAuthorization>, 'rules'> {
  readonly rules?: Rule[]
}

export const { ALLOW, DENY, AUDIT, CUSTOM } = pb.HttpAuthorization_Action

/** A request as a test describes it; what is not said is as in {@link request}. */
export interface RequestShape {
  readonly identity?: string | undefined
  readonly sourceIp?: string
  readonly remoteIp?: string
  readonly claimedIp?: string
  readonly destinationIp?: string
  readonly port?: number
  readonly method?: string
  readonly path?: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly token?: TokenFacts
  readonly sni?: string
  /** No HTTP at all. */
  readonly tcp?: boolean
}

export function request(shape: RequestShape = {}): RequestFacts {
  const headers = shape.headers ?? {}
  const identity = 'identity' in shape ? shape.identity : 'cluster.local/ns/shop/sa/web'
  return {
    sourceIdentity: identity === undefined ? undefined : identityOf(identity),
    sourceIp: ip(shape.sourceIp ?? '10.0.0.5'),
    remoteIp: ip(shape.remoteIp ?? '10.0.0.5'),
    claimedIp: shape.claimedIp === undefined ? undefined : ip(shape.claimedIp),
    destinationIp: ip(shape.destinationIp ?? '10.96.0.9'),
    destinationPort: shape.port ?? 80,
    sni: shape.sni,
    ...(shape.tcp === true
      ? {}
      : {
          http: {
            method: shape.method ?? 'GET',
            path: shape.path ?? '/',
            authority: shape.host ?? 'web.shop.svc.cluster.local',
            header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
            token: shape.token,
          },
        }),
  }
}

function identityOf(principal: string): SpiffeId {
  const [trustDomain = '', , namespace = '', , serviceAccount = ''] = principal.split('/')
  return { trustDomain, namespace, serviceAccount }
}

export function token(shape: Partial<TokenFacts> & { readonly iss?: string; readonly sub?: string } = {}): TokenFacts {
  const { iss = 'https://issuer.example', sub = 'ann', audiences = [], presenter, claims = {} } = shape
  return { principal: `${iss}/${sub}`, audiences, presenter, claims: { iss, sub, ...claims } }
}

export function bytesOf(policy: Policy): Uint8Array {
  return toBinary(pb.HttpAuthorizationSchema, create(pb.HttpAuthorizationSchema, policy))
}

/** A store that received the policies from the control plane, in namespace `shop` unless they say otherwise. */
export function storeOf(policies: readonly Policy[]): HttpPolicyStore {
  const store = new HttpPolicyStore()
  const upserts = policies.map((policy, i) => {
    const named = { namespace: 'shop', name: `p${i}`, ...policy }
    return { name: `${named.namespace}/${named.name}`, bytes: bytesOf(named) }
  })
  store.apply({ upserts, removed: [] })
  return store
}

export function verdictOf(
  policies: readonly Policy[],
  shape: RequestShape = {},
  options: { readonly domains?: TrustDomains; readonly names?: readonly string[] } = {},
): RequestVerdict {
  const store = storeOf(policies)
  using compiled = new CompiledRequestPolicies(store, options.domains)
  const names = options.names ?? [...store.policies()].map(({ namespace, name }) => `${namespace}/${name}`)
  return authorizeRequest(request(shape), compiled.policiesFor(names))
}

export function traceOf(policies: readonly Policy[], shape: RequestShape = {}): Trace {
  const store = storeOf(policies)
  using compiled = new CompiledRequestPolicies(store)
  const names = [...store.policies()].map(({ namespace, name }) => `${namespace}/${name}`)
  return traceRequest(request(shape), compiled.policiesFor(names))
}
