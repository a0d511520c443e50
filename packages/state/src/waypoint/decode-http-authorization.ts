import { waypointpb as pb } from '@ambit/api'
import { parseCidr, parsePort } from '@ambit/core'
import { fromBinary } from '@bufbuild/protobuf'
import type { CidrMatch, ServiceAccountMatch, StringMatch } from '../authorization.types.ts'
import { compileCidr } from '../cidr-match.ts'
import { enumWord } from '../decode-enum.ts'
import { decoding, type Rejection } from '../rejection.ts'
import { conditionKey } from './condition-key.ts'
import type {
  Either,
  HttpAuthorization,
  RequestCondition,
  RequestOperation,
  RequestRule,
  RequestSource,
} from './http-authorization.types.ts'
import { pathPattern } from './path-pattern.ts'
import { stringMatch } from './string-match.ts'
import { unknownFieldIn } from './unknown-field.ts'

const ACTIONS = { 0: 'Allow', 1: 'Deny', 2: 'Audit', 3: 'Custom' } as const

/**
 * A policy, or why it was refused. `standIn` denies everything: it is for a proxy that has no earlier good version to keep. Unless the
 * policy was said to be a trial, it is enforced.
 */
export type DecodedHttpAuthorization =
  | { readonly ok: true; readonly value: HttpAuthorization }
  | { readonly ok: false; readonly rejection: Rejection; readonly standIn: HttpAuthorization }

/**
 * Reads an `ambit.waypoint.HttpAuthorization` resource. A value that is not understood is noted as unknown in its rule, and what remains
 * of its list restricts nothing: so an ALLOW rule never matches and a DENY rule loses only that restriction. Without an action
 * nothing is known about a policy, and it is refused.
 */
export function decodeHttpAuthorization(resource: string, bytes: Uint8Array): DecodedHttpAuthorization {
  const parsed = decoding(() => fromBinary(pb.HttpAuthorizationSchema, bytes))
  if (!parsed.ok) return { ...parsed, standIn: denyAll(resource, false, parsed.rejection) }
  const message = parsed.value
  const { namespace, name, dryRun } = message
  const action = decoding(() => enumWord('action', message.action, ACTIONS))
  if (!action.ok) return { ...action, standIn: denyAll(resource, dryRun, action.rejection) }
  if (`${namespace}/${name}` !== resource) {
    const rejection: Rejection = { code: 'unsupported', message: `content is about ${namespace}/${name}` }
    return { ok: false, rejection, standIn: denyAll(resource, false, rejection) }
  }
  // A field of a later version beside the rules may narrow them.
  const outside = unknownFieldIn(message, 'policy', new Set(['rules']))
  const rules = message.rules.map((rule, i) => ruleOf(rule, namespace, `rules[${i}]`, outside))
  return { ok: true, value: { namespace, name, action: action.value, dryRun, rules } }
}

function denyAll(resource: string, dryRun: boolean, { message }: Rejection): HttpAuthorization {
  const slash = resource.indexOf('/')
  return {
    namespace: slash < 0 ? '' : resource.slice(0, slash),
    name: resource.slice(slash + 1),
    action: 'Deny',
    dryRun,
    rules: [{ from: [], to: [], when: [], unknown: [message] }],
  }
}

function ruleOf(
  message: pb.HttpAuthorization_Rule,
  namespace: string,
  path: string,
  outside: string | undefined,
): RequestRule {
  const unknown = message.unknown.map((field) => `${path}.${field}`)
  if (outside !== undefined) unknown.push(outside)
  const own = unknownFieldIn(message, path, new Set(['from', 'to', 'when']))
  if (own !== undefined) unknown.push(own)
  const reader = new ValueReader(namespace, unknown)
  return {
    from: message.from.map((source, i) => reader.source(source, `${path}.from[${i}].source`)),
    to: message.to.map((operation, i) => reader.operation(operation, `${path}.to[${i}].operation`)),
    when: message.when.map((condition, i) => reader.condition(condition, `${path}.when[${i}]`)),
    unknown,
  }
}

class ValueReader {
  readonly #namespace: string
  readonly #unknown: string[]

  constructor(namespace: string, unknown: string[]) {
    this.#namespace = namespace
    this.#unknown = unknown
  }

  source(message: pb.HttpAuthorization_Source, path: string): RequestSource {
    this.#fields(message, path)
    return {
      principals: this.#texts(message.principals, message.notPrincipals, `${path}.principals`),
      requestPrincipals: this.#texts(
        message.requestPrincipals,
        message.notRequestPrincipals,
        `${path}.requestPrincipals`,
      ),
      namespaces: this.#namespaces(message.namespaces, message.notNamespaces, `${path}.namespaces`),
      serviceAccounts: this.#accounts(message.serviceAccounts, message.notServiceAccounts, `${path}.serviceAccounts`),
      trustDomains: this.#texts(message.trustDomains, message.notTrustDomains, `${path}.trustDomains`),
      ipBlocks: this.#networks(message.ipBlocks, message.notIpBlocks, `${path}.ipBlocks`),
      remoteIpBlocks: this.#networks(message.remoteIpBlocks, message.notRemoteIpBlocks, `${path}.remoteIpBlocks`),
    }
  }

  operation(message: pb.HttpAuthorization_Operation, path: string): RequestOperation {
    this.#fields(message, path)
    return {
      hosts: this.#texts(message.hosts, message.notHosts, `${path}.hosts`),
      ports: this.#ports(message.ports, message.notPorts, `${path}.ports`),
      methods: this.#texts(message.methods, message.notMethods, `${path}.methods`),
      paths: this.#either(message.paths, message.notPaths, `${path}.paths`, pathPattern),
    }
  }

  condition(message: pb.HttpAuthorization_Condition, path: string): RequestCondition {
    this.#fields(message, path)
    const { values, notValues } = message
    const key = conditionKey(message.key)
    if (key === undefined) this.#unknown.push(`${path}.key: ${message.key}`)
    else if (values.length + notValues.length === 0) this.#unknown.push(`${path}: neither values nor notValues`)
    switch (key?.kind) {
      case undefined:
        return { kind: 'unknown', key: message.key }
      case 'ip':
        return { ...key, values: this.#networks(values, notValues, path) }
      case 'port':
        return { ...key, values: this.#ports(values, notValues, path) }
      case 'service-account':
        return { ...key, values: this.#accounts(values, notValues, path) }
      case 'text':
        return {
          ...key,
          values:
            key.of === 'source.namespace'
              ? this.#namespaces(values, notValues, path)
              : this.#texts(values, notValues, path),
        }
      case 'header':
        return { ...key, values: this.#texts(values, notValues, path) }
      case 'claim':
        return { ...key, values: this.#texts(values, notValues, path) }
    }
  }

  #texts(some: readonly string[], none: readonly string[], path: string): Either<StringMatch> {
    return this.#either(some, none, path, stringMatch)
  }

  /** A `*` that is not the whole first or last character cannot be meant literally: no namespace has one. */
  #namespaces(some: readonly string[], none: readonly string[], path: string): Either<StringMatch> {
    return this.#either(some, none, path, (value) => {
      const match = stringMatch(value)
      return 'value' in match && match.value.includes('*') ? undefined : match
    })
  }

  #networks(some: readonly string[], none: readonly string[], path: string): Either<CidrMatch> {
    return this.#either(some, none, path, (value) => {
      const cidr = parseCidr(value)
      return cidr && compileCidr(cidr)
    })
  }

  #ports(some: readonly string[], none: readonly string[], path: string): Either<number> {
    return this.#either(some, none, path, (value) => parsePort(value) || undefined)
  }

  #accounts(some: readonly string[], none: readonly string[], path: string): Either<ServiceAccountMatch> {
    return this.#either(some, none, path, (value) => serviceAccount(value, this.#namespace))
  }

  /** One unreadable value opens its positive list, as it might have been any; from a negative list it is left out. */
  #either<T>(
    some: readonly string[],
    none: readonly string[],
    path: string,
    read: (value: string) => T | undefined,
  ): Either<T> {
    const before = this.#unknown.length
    const each = (value: string): T[] => {
      const entry = read(value)
      if (entry !== undefined) return [entry]
      this.#unknown.push(`${path}: ${JSON.stringify(value)} is not understood`)
      return []
    }
    const read1 = some.flatMap(each)
    return { some: this.#unknown.length > before ? [] : read1, none: none.flatMap(each) }
  }

  #fields(message: object, path: string): void {
    const unknown = unknownFieldIn(message, path)
    if (unknown !== undefined) this.#unknown.push(unknown)
  }
}

/** `namespace/account`, or `account` of the policy's own namespace. Wildcards are not supported (Istio), and no name has one. */
function serviceAccount(value: string, namespace: string): ServiceAccountMatch | undefined {
  const [first = '', second, ...rest] = value.split('/')
  const match =
    second === undefined ? { namespace, serviceAccount: first } : { namespace: first, serviceAccount: second }
  if (rest.length > 0 || match.namespace === '' || match.serviceAccount === '' || value.includes('*')) return undefined
  return match
}
