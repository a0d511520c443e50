import { type MeshModel, UnknownNameError } from '@ambit/explain'
import type { Region } from '../diff.types.ts'
import { MAX_DESTINATIONS, MAX_LISTED_CLIENTS, MAX_QUESTIONS, MAX_REGIONS_PER_DESTINATION } from '../limits.ts'
import { PolicyTable } from '../policies/policy-table.ts'
import type { ReadPolicy } from '../policies/read-policy.ts'
import { pathsOf } from '../semantic/diagram.ts'
import { type ComparedDestination, compareDestination, type Sides } from './compare-destination.ts'
import { type Destination, destinationsOf, isOfWaypoint } from './destinations.ts'
import { NearestMisses } from './nearest-misses.ts'
import { conditionsOf } from './region-of.ts'

export interface ComparedPolicies {
  readonly regions: readonly Region[]
  /** By the destination's name, those of which policies differ. */
  readonly compared: ReadonlyMap<string, ComparedDestination>
  readonly gaps: readonly string[]
  readonly isPartial: boolean
}

/** What two meshes let through and what not, wherever the policies of both tell requests apart. */
export function comparePolicies(
  models: Sides<MeshModel>,
  options: { readonly onlyPolicies: boolean },
): ComparedPolicies {
  const gaps = new Set<string>()
  const read = { before: new PolicyTable(models.before), after: new PolicyTable(models.after) }
  const destinations = destinationsOf(models.after, (place) => [
    ...read.before.portsNamed(place),
    ...read.after.portsNamed(place),
  ])
  if (destinations.length > MAX_DESTINATIONS)
    gaps.add(`of ${destinations.length} destinations ${MAX_DESTINATIONS} are compared, the rest is not`)
  const compared = new Map<string, ComparedDestination>()
  const found: Region[] = []
  let isPartial = destinations.length > MAX_DESTINATIONS
  let left = MAX_QUESTIONS
  const nearest = new NearestMisses(models.after)
  const accounts = accountsOf(models.after)
  for (const destination of destinations.slice(0, MAX_DESTINATIONS)) {
    const policies = { before: read.before.of(destination), after: read.after.of(destination) }
    if (options.onlyPolicies && sameMeaning(policies)) continue
    for (const policy of [...policies.before, ...policies.after]) noteTokens(policy, gaps)
    try {
      const one = compareDestination(models, policies, destination, { ...options, budget: left })
      left -= one.asked
      compared.set(destination.name, one)
      if (one.isPartial) {
        isPartial = true
        gaps.add(`${destination.name}: its policies tell more apart than is tried; there may be more than is told`)
      }
      const regions = regionsOf(models.after, { destination, one, nearest, accounts })
      if (regions.length > MAX_REGIONS_PER_DESTINATION) {
        isPartial = true
        gaps.add(`${destination.name}: ${regions.length} regions change, ${MAX_REGIONS_PER_DESTINATION} are told`)
      }
      found.push(...regions.slice(0, MAX_REGIONS_PER_DESTINATION))
    } catch (error) {
      if (!(error instanceof UnknownNameError)) throw error
      gaps.add(`${destination.name} is not there before and after: it is not compared`)
    }
  }
  return { regions: merged(found, destinations), compared, gaps: [...gaps], isPartial }
}

/** Whether both sides have the same policies, whatever they are called. */
function sameMeaning({ before, after }: Sides<readonly ReadPolicy[]>): boolean {
  const meaning = (side: readonly ReadPolicy[]): string =>
    side
      .map(({ meaning: one }) => one)
      .toSorted()
      .join('\n')
  return before.length === after.length && meaning(before) === meaning(after)
}

function noteTokens({ policy, key }: ReadPolicy, gaps: Set<string>): void {
  const asks = policy.rules.some(
    ({ from, when }) =>
      from.some(({ requestPrincipals: { some, none } }) => some.length + none.length > 0) ||
      when.some(
        (condition) =>
          condition.kind === 'claim' || (condition.kind === 'text' && condition.of.startsWith('request.auth')),
      ),
  )
  if (asks)
    gaps.add(`${key} asks about tokens: proxies of this version check none, so requests are compared without one`)
}

function regionsOf(
  { mesh }: MeshModel,
  found: {
    readonly destination: Destination
    readonly one: ComparedDestination
    readonly nearest: NearestMisses
    readonly accounts: readonly string[]
  },
): readonly Region[] {
  const { destination, one, nearest, accounts } = found
  const { forms, diagram } = one
  const paths = [...pathsOf(diagram)]
  if (paths.length === 0) return []
  const clients = accounts.map((account) => {
    const [namespace = '', name = ''] = account.split('/')
    return { account, at: forms.classOf('client', `${mesh.trustDomain}/ns/${namespace}/sa/${name}`) }
  })
  return paths.map((path): Region => {
    const { conditions, leaf } = path
    const among = conditions.find(({ dimension }) => dimension === 'client')?.classes
    const concerned = clients.filter(({ at }) => among === undefined || (at !== undefined && among.includes(at)))
    const miss = nearest.of(leaf.change, leaf.after, leaf.question)
    return {
      change: leaf.change,
      destinations: [destination.name],
      conditions: conditionsOf(conditions, forms.classes),
      after: leaf.after,
      before: leaf.before,
      ...(miss === undefined ? {} : { nearest: miss }),
      clients: concerned.slice(0, MAX_LISTED_CLIENTS).map(({ account }) => account),
      ...(leaf.endpoints === undefined ? {} : { endpoints: leaf.endpoints }),
      example: leaf.question,
    }
  })
}

/** Accounts of pods other than waypoints: those speak for others. */
function accountsOf(model: MeshModel): readonly string[] {
  const pods = model.pods().filter(({ labels }) => !isOfWaypoint(labels))
  return [...new Set(pods.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`))].toSorted()
}

/** The same at several destinations is told once, and a workload with all its ports as one. */
function merged(regions: readonly Region[], destinations: readonly Destination[]): readonly Region[] {
  const byContent = new Map<string, Region>()
  for (const region of regions) {
    const { destinations: _, example: __, ...content } = region
    const key = JSON.stringify(content)
    const known = byContent.get(key)
    byContent.set(
      key,
      known === undefined ? region : { ...known, destinations: [...known.destinations, ...region.destinations] },
    )
  }
  const wholes = Map.groupBy(destinations, ({ whole }) => whole)
  const partOf = new Map(destinations.map(({ name, whole }) => [name, whole]))
  return [...byContent.values()].map((region) => {
    const there = new Set(region.destinations)
    const nameOf = (name: string): string => {
      const whole = partOf.get(name)
      return whole !== undefined && wholes.get(whole)?.every((part) => there.has(part.name)) === true ? whole : name
    }
    return { ...region, destinations: [...new Set(region.destinations.map(nameOf))] }
  })
}
