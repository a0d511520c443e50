import { type Logger, messageOf } from '@ambit/core'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, jsonEqual } from '../json.ts'
import type { ApiService } from '../resources/api-service.ts'
import { internalContext } from '../resources/request-context.ts'
import type { ResourceRegistry } from '../resources/resource-registry.ts'
import { matchesLabelSelector } from '../store/selectors.ts'

const GROUP = 'rbac.authorization.k8s.io'
const ROLES = `${GROUP}/clusterroles`

/** Gives cluster roles with an aggregation rule the rules of all roles it selects. */
export class RoleAggregation implements Disposable {
  readonly #service: ApiService
  readonly #registry: ResourceRegistry
  readonly #logger: Logger
  readonly #subscription: Disposable

  constructor(service: ApiService, registry: ResourceRegistry, logger: Logger) {
    this.#service = service
    this.#registry = registry
    this.#logger = logger
    // At once: who creates a role and asks next what it may already has it. What is written here comes back and settles.
    this.#subscription = service.store.subscribe(ROLES, () => this.#reconcile())
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  #reconcile(): void {
    const roles = this.#service.store.list(ROLES)
    for (const role of roles) {
      const selectors = arrayOf(at(role, 'aggregationRule', 'clusterRoleSelectors'))
      if (selectors.length === 0) continue
      const rules = rulesOf(roles, role, selectors)
      if (jsonEqual(rules, arrayOf(role['rules']))) continue
      this.#write(role.metadata.name ?? '', rules)
      // The change has led to a round of its own.
      return
    }
  }

  #write(name: string, rules: readonly unknown[]): void {
    const definition = this.#registry.find(GROUP, 'v1', 'clusterroles')
    if (definition === undefined) return
    try {
      const target = { definition, version: 'v1', namespace: undefined, name }
      this.#service.patch(target, (object) => ({ ...object, rules }), internalContext('clusterrole-aggregation'))
    } catch (error) {
      this.#logger.warn('a cluster role could not be aggregated', { role: name, error: messageOf(error) })
    }
  }
}

function rulesOf(roles: readonly KubeObject[], own: KubeObject, selectors: readonly unknown[]): readonly unknown[] {
  const rules: unknown[] = []
  for (const role of roles) {
    if (role.metadata.name === own.metadata.name) continue
    if (!selectors.some((selector) => matchesLabelSelector(selector, role.metadata.labels ?? {}))) continue
    for (const rule of arrayOf(role['rules'])) if (!rules.some((known) => jsonEqual(known, rule))) rules.push(rule)
  }
  return rules
}
