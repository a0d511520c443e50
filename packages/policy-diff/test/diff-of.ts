import type { Sourced } from '@ambit/analyze'
import type { PolicyDiff } from '../src/diff.types.ts'
import { diffPolicies } from '../src/diff-policies.ts'
import type { ReadFlows } from '../src/flows/read-flows.ts'
import { SHOP, sourced } from './objects.ts'

export interface Shops {
  readonly before?: string
  readonly after?: string
}

export function bothSidesOf(
  before: readonly string[],
  after: readonly string[],
  shops: Shops = {},
): { readonly before: readonly Sourced[]; readonly after: readonly Sourced[] } {
  return { before: sourced(shops.before ?? SHOP, ...before), after: sourced(shops.after ?? SHOP, ...after) }
}

/** The shop with some policies against the shop with others. */
export function diffOf(
  before: readonly string[],
  after: readonly string[],
  options: Shops & { readonly flows?: ReadFlows } = {},
): PolicyDiff {
  return diffPolicies({ objects: bothSidesOf(before, after, options), settings: {}, flows: options.flows })
}
