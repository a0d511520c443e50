import type { FileProblem, Sourced } from '@ambit/analyze'
import { declaredObjects } from './declared-objects.ts'
import { decodePolicyTest, isPolicyTest } from './decode/policy-test.ts'
import { expandCases } from './expand-cases.ts'
import { Inventory } from './inventory.ts'
import type { Judge } from './judge.types.ts'
import { MAX_CASES } from './limits.ts'
import { checkPolicies } from './manifests/check-policies.ts'
import type { PolicyTest } from './policy-test.types.ts'
import type { Suite } from './run-cases.ts'

export interface LoadedSuites {
  readonly suites: readonly Suite[]
  /** What could not be understood; nothing is run as long as there is anything. */
  readonly problems: readonly FileProblem[]
  /** What is understood, and perhaps not meant. */
  readonly notes: readonly string[]
  /** All but the tests; with what tests declare. */
  readonly objects: readonly Sourced[]
}

/** The tests among the objects, ready to run against a mesh made of the others. */
export function loadSuites(given: readonly Sourced[], judgeOf: (objects: readonly Sourced[]) => Judge): LoadedSuites {
  const manifests = given.filter((sourced) => !isPolicyTest(sourced))
  const problems: FileProblem[] = [...checkPolicies(manifests)]
  const tests = given.filter(isPolicyTest).flatMap(({ object, place }) => {
    if (place === undefined) return []
    const decoded = decodePolicyTest(object, place)
    problems.push(...decoded.problems)
    return decoded.test ?? []
  })
  problems.push(...sameNames(tests))
  const known = new Inventory(manifests)
  const suites: Suite[] = []
  const objects = [...manifests]
  const bare = new Set<string>()
  let shared: Judge | undefined
  let room = MAX_CASES
  for (const test of tests) {
    const declared = declaredObjects(test, known)
    const own = declared.objects.length > 0
    const all = own ? [...manifests, ...declared.objects] : manifests
    const inventory = own ? new Inventory(all) : known
    const { cases, problems: unknown } = expandCases(test, inventory, room)
    problems.push(...declared.problems, ...unknown)
    objects.push(...declared.objects)
    room -= cases.length
    for (const name of inventory.namespaces) if (!inventory.namespaceObjects.has(name)) bare.add(name)
    if (problems.length > 0) continue
    const judge = own ? judgeOf(all) : (shared ??= judgeOf(manifests))
    suites.push({ name: test.name, file: test.place.file, cases, judge })
  }
  return { suites: problems.length > 0 ? [] : suites, problems, notes: notesOf(bare), objects }
}

function sameNames(tests: readonly PolicyTest[]): readonly FileProblem[] {
  const seen = new Map<string, PolicyTest>()
  return tests.flatMap((test) => {
    const before = seen.get(test.name)
    seen.set(test.name, test)
    if (before === undefined) return []
    const { line, column } = test.place.positionOf(['metadata', 'name'])
    const there = `${before.place.file}:${before.place.line}`
    return [{ file: test.place.file, line, column, message: `the test of ${there} is called ${test.name} too` }]
  })
}

/** Without a Namespace nothing says that its pods are captured. */
function notesOf(bare: ReadonlySet<string>): readonly string[] {
  return [...bare]
    .toSorted()
    .map((name) => `namespace ${name} is in no manifest: its pods are in the mesh only if they say so themselves`)
}
