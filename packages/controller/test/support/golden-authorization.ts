import { authorizationpb } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import { type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf'
import { parse, parseAllDocuments } from 'yaml'
import { compileAuthorizationPolicy } from '../../src/compile/authorization.ts'
import { convertPeerAuthentication } from '../../src/compile/peer-authentication.ts'
import { decodeAuthorizationPolicy } from '../../src/watch/decode-authorization-policy.ts'
import { decodePeerAuthentication } from '../../src/watch/decode-peer-authentication.ts'

export const ROOT_NAMESPACE = 'istio-system'

/** Compiles YAML documents as Istio's converter tests do: one AuthorizationPolicy, or PeerAuthentications of all levels. */
export function compileYaml(text: string): unknown {
  const objects = parseAllDocuments(text)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null)
  return goldenOf(compile(objects))
}

export function parseYaml(text: string): unknown {
  return parse(text)
}

function compile(objects: readonly KubeObject[]): authorizationpb.Authorization | undefined {
  const [first] = objects
  if (first?.kind === 'AuthorizationPolicy') {
    return compileAuthorizationPolicy(decodeAuthorizationPolicy(first), { rootNamespace: ROOT_NAMESPACE }).authorization
  }
  const policies = objects.map(decodePeerAuthentication)
  const inherited = policies.filter(({ selector }) => selector === undefined)
  return convertPeerAuthentication(
    {
      workload: policies.find(({ selector }) => selector !== undefined),
      namespace: inherited.find(({ namespace }) => namespace !== ROOT_NAMESPACE),
      mesh: inherited.find(({ namespace }) => namespace === ROOT_NAMESPACE),
    },
    ROOT_NAMESPACE,
  )
}

/** The message in the spelling of Istio's goldens: proto JSON, with Istio's names for groups and rules. */
export function goldenOf(authorization: authorizationpb.Authorization | undefined): unknown {
  if (authorization === undefined) return null
  const { rules, ...rest } = json(authorizationpb.AuthorizationSchema, authorization)
  if (rules === undefined) return rest
  const groups = (rules as readonly { readonly clauses?: readonly unknown[] }[]).map(({ clauses }) =>
    clauses === undefined ? {} : { rules: clauses },
  )
  return { ...rest, groups }
}

function json<T extends DescMessage>(schema: T, message: MessageShape<T>): Readonly<Record<string, unknown>> {
  return toJson(schema, message) as Readonly<Record<string, unknown>>
}
