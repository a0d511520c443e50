import type { Cidr } from '@ambit/core'
import type {
  CidrMatch,
  Either,
  HttpAuthorization,
  PathPattern,
  RequestCondition,
  RequestOperation,
  RequestSource,
  ServiceAccountMatch,
  StringMatch,
} from '@ambit/state'
import { type Dimension, dimensionOfClaim } from './dimension.ts'

/** Everything that policies name, by what it is compared with. */
export class Patterns {
  readonly principals: StringMatch[] = []
  readonly namespaces: StringMatch[] = []
  readonly serviceAccounts: ServiceAccountMatch[] = []
  readonly trustDomains: StringMatch[] = []
  readonly networks: Cidr[] = []
  readonly paths: PathPattern[] = []
  readonly requestPrincipals: StringMatch[] = []
  readonly issuers: StringMatch[] = []
  readonly subjects: StringMatch[] = []
  /** Of headers, claims and whatever else is one text. */
  readonly texts: Map<Dimension, StringMatch[]> = new Map()
  readonly #seen = new Set<string>()

  add(policy: HttpAuthorization): void {
    for (const { from, to, when } of policy.rules) {
      for (const source of from) this.#source(source)
      for (const operation of to) this.#operation(operation)
      for (const condition of when) this.#condition(condition)
    }
  }

  #source(source: RequestSource): void {
    this.#put('principals', this.principals, source.principals)
    this.#put('namespaces', this.namespaces, source.namespaces)
    this.#put('serviceAccounts', this.serviceAccounts, source.serviceAccounts)
    this.#put('trustDomains', this.trustDomains, source.trustDomains)
    this.#put('requestPrincipals', this.requestPrincipals, source.requestPrincipals)
    this.#networks(source.ipBlocks)
    this.#networks(source.remoteIpBlocks)
  }

  #operation({ hosts, methods, paths }: RequestOperation): void {
    this.#text('host', hosts)
    this.#text('method', methods)
    this.#put('paths', this.paths, paths)
  }

  #condition(condition: RequestCondition): void {
    switch (condition.kind) {
      case 'ip':
        if (condition.of !== 'destination.ip') this.#networks(condition.values)
        break
      case 'service-account':
        this.#put('serviceAccounts', this.serviceAccounts, condition.values)
        break
      case 'header':
        this.#text(`header ${condition.name}`, condition.values)
        break
      case 'claim':
        this.#claim(condition.path, condition.values)
        break
      case 'text':
        this.#ofKey(condition.of, condition.values)
        break
      case 'port':
      case 'unknown':
        break
    }
  }

  #ofKey(of: Extract<RequestCondition, { readonly kind: 'text' }>['of'], values: Either<StringMatch>): void {
    switch (of) {
      case 'source.principal':
        this.#put('principals', this.principals, values)
        break
      case 'source.namespace':
        this.#put('namespaces', this.namespaces, values)
        break
      case 'source.trustDomain':
        this.#put('trustDomains', this.trustDomains, values)
        break
      case 'request.auth.principal':
        this.#put('requestPrincipals', this.requestPrincipals, values)
        break
      case 'request.auth.audiences':
        this.#text('audience', values)
        break
      case 'request.auth.presenter':
        this.#text('presenter', values)
        break
      case 'connection.sni':
        this.#text('sni', values)
        break
    }
  }

  #claim(path: readonly string[], values: Either<StringMatch>): void {
    const dimension = dimensionOfClaim(path)
    if (dimension !== 'subject') this.#text(dimension, values)
    else if (path[0] === 'iss') this.#put('iss', this.issuers, values)
    else this.#put('sub', this.subjects, values)
  }

  #text(dimension: Dimension, values: Either<StringMatch>): void {
    this.#put(
      dimension,
      this.texts.getOrInsertComputed(dimension, () => []),
      values,
    )
  }

  #networks({ some, none }: Either<CidrMatch>): void {
    const cidrs = { some: some.map(({ cidr }) => cidr), none: none.map(({ cidr }) => cidr) }
    this.#put('networks', this.networks, cidrs)
  }

  /** Each but once: the same names stand in many policies. */
  #put<T>(of: string, into: T[], { some, none }: Either<T>): void {
    for (const value of [...some, ...none]) {
      const key = `${of} ${JSON.stringify(value)}`
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      into.push(value)
    }
  }
}
