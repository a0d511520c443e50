import type { FilePlace, FileProblem, Sourced } from '@ambit/analyze'
import { messageOf } from '@ambit/core'
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

/** Who answers, and what answers about a mesh depend on besides its objects. */
export interface Bench {
  readonly rootNamespace: string
  readonly judgeOf: (objects: readonly Sourced[]) => Judge
}

/** The tests among the objects, ready to run against a mesh made of the others. */
export function loadSuites(given: readonly Sourced[], bench: Bench): LoadedSuites {
  const manifests = given.filter((sourced) => !isPolicyTest(sourced))
  const problems: FileProblem[] = [...checkPolicies(manifests)]
  const tests = given.filter(isPolicyTest).flatMap(({ object, place }) => {
    if (place === undefined) return []
    const decoded = decodePolicyTest(object, place)
    problems.push(...decoded.problems)
    return decoded.test ?? []
  })
  problems.push(...sameNames(tests))
  const [first] = tests
  if (first === undefined) return { suites: [], problems, notes: [], objects: manifests }
  try {
    const suites = suitesOf(tests, manifests, bench, problems)
    return problems.length > 0 ? { ...suites, suites: [], problems } : { ...suites, problems }
  } catch (error) {
    const message = `no mesh can be made of the manifests: ${messageOf(error)}`
    return { suites: [], problems: [...problems, { ...startOf(first.place), message }], notes: [], objects: manifests }
  }
}

function startOf({ file, line }: FilePlace): Omit<FileProblem, 'message'> {
  return { file, line, column: 1 }
}

function suitesOf(
  tests: readonly PolicyTest[],
  manifests: readonly Sourced[],
  { rootNamespace, judgeOf }: Bench,
  problems: FileProblem[],
): Omit<LoadedSuites, 'problems'> {
  const known = new Inventory(manifests, rootNamespace)
  const suites: Suite[] = []
  const objects = [...manifests]
  const bare = new Set<string>()
  let shared: Judge | undefined
  let room = MAX_CASES
  for (const test of tests) {
    const declared = declaredObjects(test, known)
    const own = declared.objects.length > 0
    const all = own ? [...manifests, ...declared.objects] : manifests
    const inventory = own ? new Inventory(all, rootNamespace) : known
    const { cases, problems: unknown } = expandCases(test, inventory, room)
    problems.push(...declared.problems, ...unknown)
    objects.push(...declared.objects)
    room -= cases.length
    for (const name of inventory.namespaces) if (!inventory.namespaceObjects.has(name)) bare.add(name)
    if (problems.length > 0) continue
    const judge = own ? judgeOf(all) : (shared ??= judgeOf(manifests))
    suites.push({ name: test.name, file: test.place.file, cases, judge })
  }
  return { suites, notes: notesOf(bare), objects }
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
