import { TYPE_URLS } from '@ambit/api'
import type { References, ResourceTable } from '@ambit/xds'
import { AfterBacklog } from './after-backlog.ts'
import { Differences } from './differences.ts'
import type { ResourceField, UnitResult } from './unit-result.types.ts'
import type { Unit } from './units.ts'

const TYPES: Readonly<Record<ResourceField, string>> = {
  policies: TYPE_URLS.authorization,
  credentials: TYPE_URLS.credential,
  settings: TYPE_URLS.waypointSettings,
  requestPolicies: TYPE_URLS.httpAuthorization,
  trafficPolicies: TYPE_URLS.trafficPolicy,
  subsetMembers: TYPE_URLS.subsetMember,
  destinations: TYPE_URLS.destination,
  addresses: TYPE_URLS.address,
}
/** Which type's resources name which: a proxy is told of policies before it is told where they are in force. */
export const REFERENCES: References = {
  [TYPE_URLS.address]: [TYPE_URLS.authorization],
  [TYPE_URLS.workload]: [TYPE_URLS.authorization],
  [TYPE_URLS.destination]: [TYPE_URLS.httpAuthorization, TYPE_URLS.trafficPolicy, TYPE_URLS.subsetMember],
  [TYPE_URLS.waypointSettings]: [
    TYPE_URLS.credential,
    TYPE_URLS.httpAuthorization,
    TYPE_URLS.trafficPolicy,
    TYPE_URLS.subsetMember,
  ],
}
const FIELDS = Object.keys(TYPES) as readonly ResourceField[]

/** What is named is there before who names it: keys, policies and how services are treated, then settings and waypoints' destinations, then addresses. */
const STEPS: readonly { readonly field: ResourceField; readonly upserts: boolean; readonly removals: boolean }[] = [
  { field: 'policies', upserts: true, removals: false },
  { field: 'credentials', upserts: true, removals: false },
  { field: 'requestPolicies', upserts: true, removals: false },
  { field: 'trafficPolicies', upserts: true, removals: false },
  { field: 'subsetMembers', upserts: true, removals: false },
  { field: 'settings', upserts: true, removals: true },
  { field: 'credentials', upserts: false, removals: true },
  { field: 'destinations', upserts: true, removals: false },
  { field: 'addresses', upserts: true, removals: true },
  { field: 'destinations', upserts: false, removals: true },
  { field: 'trafficPolicies', upserts: false, removals: true },
  { field: 'subsetMembers', upserts: false, removals: true },
]
/** What is named goes when nobody published names it any more. */
const NAMED = ['policies', 'requestPolicies'] as const

/** Who contributed which resource, of all types. */
export class Publication {
  readonly #table: Pick<ResourceTable, 'update'>
  /** Resource name to the unit it came from, for each type. */
  readonly #owners = eachField(() => new Map<string, Unit>())
  readonly #leaving = { policies: new AfterBacklog(), requestPolicies: new AfterBacklog() }

  constructor(table: Pick<ResourceTable, 'update'>) {
    this.#table = table
  }

  /** Collects the differences of many units; `publish` hands them over at once. */
  begin(): {
    add(key: Unit, before: UnitResult | undefined, after: UnitResult | undefined): void
    /** `compiled` workloads since the start; those that wait now are done at `backlog`. */
    publish(progress: { readonly compiled: number; readonly backlog: number }): void
  } {
    const differences = eachField((field) => new Differences(this.#owners[field]))
    return {
      add: (key, before, after) => {
        for (const field of FIELDS) differences[field].add(key, before?.[field] ?? [], after?.[field] ?? [])
      },
      publish: ({ compiled, backlog }) => {
        for (const { field, upserts, removals } of STEPS) {
          const of = differences[field]
          this.#table.update(TYPES[field], {
            upserts: upserts ? of.upserts : [],
            removed: removals ? of.removed : [],
          })
        }
        for (const field of NAMED) {
          const leaving = this.#leaving[field]
          for (const { name } of differences[field].upserts) leaving.drop(name)
          for (const name of differences[field].removed) leaving.hold(name, backlog)
          this.#table.update(TYPES[field], { removed: leaving.take(compiled) })
        }
      },
    }
  }
}

/** Whether a unit contributes any resource. */
export function hasResources(result: UnitResult): boolean {
  return FIELDS.some((field) => (result[field] ?? []).length > 0)
}

function eachField<T>(make: (field: ResourceField) => T): Readonly<Record<ResourceField, T>> {
  return Object.fromEntries(FIELDS.map((field) => [field, make(field)])) as Record<ResourceField, T>
}
