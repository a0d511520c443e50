// Coverage means what it says: without a clause that some case tries, some case comes out otherwise; without another, none does.
import type { AnyObject, Sourced } from '@ambit/analyze'
import type { Answer } from '@ambit/explain'
import test from 'ava'
import { Coverage, loadSuites, policyFacts } from '../src/index.ts'
import { BENCH, run, sample } from './support.ts'

const objects = sample('mesh', 'policies', 'tests')

interface Spec {
  rules: Record<string, unknown>[]
}

/** The policies without one clause of one rule. */
function without(name: string, rule: number, field: string): readonly Sourced[] {
  return objects.map((sourced) => {
    const { metadata, kind } = sourced.object
    if (kind !== 'AuthorizationPolicy' || `${metadata.namespace}/${metadata.name}` !== name) return sourced
    const object = structuredClone(sourced.object) as AnyObject & { spec: Spec }
    const found = object.spec.rules[rule]
    if (found !== undefined) drop(found, field)
    return { ...sourced, object }
  })
}

function drop(rule: Record<string, unknown>, field: string): void {
  const [, part = '', index = '', leaf = ''] =
    /^(from|to|when)\[(\d+)\](?:\.(?:source|operation)\.(\w+))?/.exec(field) ?? []
  const entries = rule[part] as Record<string, Record<string, unknown>>[]
  if (part === 'when') {
    entries.splice(Number(index), 1)
    return
  }
  const entry = entries[Number(index)]?.[part === 'from' ? 'source' : 'operation']
  if (entry === undefined) throw new Error(`there is no ${field}`)
  delete entry[leaf]
  delete entry[`not${leaf.charAt(0).toUpperCase()}${leaf.slice(1)}`]
  // An entry that asks nothing is met by everything, whatever its alternatives ask.
  if (Object.keys(entry).length === 0) delete rule[part]
}

function answersOf(given: readonly Sourced[]): readonly (Answer | undefined)[] {
  return run(loadSuites(given, BENCH)).suites.flatMap(({ results }) => results.map(({ answer }) => answer))
}

const decision = (answer: Answer | undefined): string =>
  JSON.stringify([answer?.outcome, answer?.point, answer?.policy, answer?.rule, answer?.allowedBy])

test('the sample, clause by clause', (t) => {
  const coverage = new Coverage(policyFacts(objects))
  run(loadSuites(objects, BENCH), { observe: coverage.observe })
  const { details } = coverage.report()
  const before = answersOf(objects)
  const tried = { yes: 0, no: 0 }
  for (const { policy, rules } of details)
    for (const { rule, clauses } of rules)
      for (const { field, prevented } of clauses) {
        const after = answersOf(without(policy, rule, field))
        t.is(after.length, before.length)
        const what = `${policy}#${rule} ${field}, tried by ${prevented}`
        if (prevented > 0) {
          tried.yes++
          t.true(
            after.some((answer, i) => decision(answer) !== decision(before[i])),
            what,
          )
        } else {
          tried.no++
          t.true(
            after.every((answer, i) => answer?.outcome === before[i]?.outcome),
            what,
          )
        }
      }
  t.true(tried.yes >= 20 && tried.no >= 3, JSON.stringify(tried))
})
