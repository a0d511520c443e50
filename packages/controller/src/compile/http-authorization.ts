import { waypointpb } from '@ambit/api'
import type { ResourceInput } from '@ambit/xds'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { AuthorizationPolicy, PolicyCondition, RequestRule } from '../domain.types.ts'

const { HttpAuthorization_Action: Action } = waypointpb

type Rule = MessageInitShape<typeof waypointpb.HttpAuthorization_RuleSchema>
type Condition = { key: string; values: string[]; notValues: string[] }
type Lists = RequestRule['from'][number]

/** A policy for requests, as written; its waypoints judge what of it they understand. */
export function httpAuthorization(policy: AuthorizationPolicy, waypoints: readonly string[]): ResourceInput {
  const { namespace, name } = policy
  const message = create(waypointpb.HttpAuthorizationSchema, {
    namespace,
    name,
    // An action nobody knows is published as an ALLOW that allows nothing.
    action: Action[policy.action ?? 'ALLOW'],
    dryRun: policy.dryRun,
    provider: policy.provider,
    rules: rulesOf(policy),
  })
  return {
    name: `${namespace}/${name}`,
    audience: waypoints,
    bytes: toBinary(waypointpb.HttpAuthorizationSchema, message),
  }
}

/** What is not understood beside the rules never widens access: ALLOW loses them all, others match everything where they can't be read. */
function rulesOf(policy: AuthorizationPolicy): Rule[] {
  if ((policy.action ?? 'ALLOW') === 'ALLOW' && policy.unknown.length > 0) return []
  if (policy.unknown.includes('rules')) return [{}]
  return policy.requestRules.map((rule) => ruleOf(rule, policy.namespace))
}

function ruleOf({ from, to, when, unknown }: RequestRule, namespace: string): Rule {
  return {
    from: from.map((source) => ({
      ...lists(source),
      serviceAccounts: qualified(source['serviceAccounts'], namespace),
      notServiceAccounts: qualified(source['notServiceAccounts'], namespace),
    })),
    to: to.map(lists),
    when: when.map((condition) => conditionOf(condition, namespace)),
    unknown: [...unknown],
  }
}

function lists(written: Lists): Record<string, string[]> {
  return Object.fromEntries(Object.entries(written).map(([field, values]) => [field, [...values]]))
}

function conditionOf({ key, values, notValues }: PolicyCondition, namespace: string): Condition {
  if (key !== 'source.serviceAccount') return { key, values: [...values], notValues: [...notValues] }
  return { key, values: qualified(values, namespace), notValues: qualified(notValues, namespace) }
}

/** A service account without a namespace is one of the policy's. */
function qualified(accounts: readonly string[] | undefined, namespace: string): string[] {
  return (accounts ?? []).map((account) => (account.includes('/') ? account : `${namespace}/${account}`))
}
