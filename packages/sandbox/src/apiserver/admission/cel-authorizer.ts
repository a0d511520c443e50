import type { Environment } from '@marcbachmann/cel-js'
import { type AccessVerdict, authorize } from '../auth/rbac.ts'
import type { UserInfo } from '../resources/request-context.ts'
import type { ObjectStore } from '../store/object-store.ts'

/** `authorizer` of admission's CEL: whether whoever makes the request may do something else. */
export class CelAuthorizer {
  readonly store: ObjectStore
  readonly user: UserInfo

  constructor(store: ObjectStore, user: UserInfo) {
    this.store = store
    this.user = user
  }
}

class CelGroupCheck {
  readonly authorizer: CelAuthorizer
  readonly group: string

  constructor(authorizer: CelAuthorizer, group: string) {
    this.authorizer = authorizer
    this.group = group
  }
}

interface ResourceQuestion {
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
}

class CelResourceCheck {
  readonly authorizer: CelAuthorizer
  readonly question: ResourceQuestion

  constructor(authorizer: CelAuthorizer, question: ResourceQuestion) {
    this.authorizer = authorizer
    this.question = question
  }

  with(change: Partial<ResourceQuestion>): CelResourceCheck {
    return new CelResourceCheck(this.authorizer, { ...this.question, ...change })
  }
}

class CelPathCheck {
  readonly authorizer: CelAuthorizer
  readonly path: string

  constructor(authorizer: CelAuthorizer, path: string) {
    this.authorizer = authorizer
    this.path = path
  }
}

class CelDecision {
  readonly verdict: AccessVerdict

  constructor(verdict: AccessVerdict) {
    this.verdict = verdict
  }
}

const NS = 'kubernetes.authorization'

/** Makes the authorizer's functions known to CEL. */
export function registerAuthorizer(environment: Environment): void {
  environment.registerType(`${NS}.Authorizer`, CelAuthorizer)
  environment.registerType(`${NS}.GroupCheck`, CelGroupCheck)
  environment.registerType(`${NS}.ResourceCheck`, CelResourceCheck)
  environment.registerType(`${NS}.PathCheck`, CelPathCheck)
  environment.registerType(`${NS}.Decision`, CelDecision)
  const add = (signature: string, handler: (...args: never[]) => unknown): void => {
    environment.registerFunction(`${NS}.${signature}`, handler as (...args: unknown[]) => unknown)
  }
  add(
    `Authorizer.group(string): ${NS}.GroupCheck`,
    (one: CelAuthorizer, group: string) => new CelGroupCheck(one, group),
  )
  add(`Authorizer.path(string): ${NS}.PathCheck`, (one: CelAuthorizer, path: string) => new CelPathCheck(one, path))
  add(
    `Authorizer.serviceAccount(string, string): ${NS}.Authorizer`,
    (one: CelAuthorizer, namespace: string, name: string) =>
      new CelAuthorizer(one.store, serviceAccount(namespace, name)),
  )
  add(
    `GroupCheck.resource(string): ${NS}.ResourceCheck`,
    ({ authorizer, group }: CelGroupCheck, resource: string) =>
      new CelResourceCheck(authorizer, { group, resource, subresource: '', namespace: '', name: '' }),
  )
  for (const member of ['subresource', 'namespace', 'name'] as const)
    add(`ResourceCheck.${member}(string): ${NS}.ResourceCheck`, (check: CelResourceCheck, value: string) =>
      check.with({ [member]: value }),
    )
  add(
    `ResourceCheck.check(string): ${NS}.Decision`,
    ({ authorizer, question }: CelResourceCheck, verb: string) =>
      new CelDecision(authorize(authorizer.store, authorizer.user, { verb, resource: question, path: '' })),
  )
  add(
    `PathCheck.check(string): ${NS}.Decision`,
    ({ authorizer, path }: CelPathCheck, verb: string) =>
      new CelDecision(authorize(authorizer.store, authorizer.user, { verb, path })),
  )
  add('Decision.allowed(): bool', ({ verdict }: CelDecision) => verdict.allowed)
  add('Decision.reason(): string', ({ verdict }: CelDecision) => verdict.reason)
  add('Decision.errored(): bool', () => false)
}

function serviceAccount(namespace: string, name: string): UserInfo {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  }
}
