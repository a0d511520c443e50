import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readDocuments, type Sourced } from '@ambit/analyze'
import { MeshModel } from '@ambit/explain'
import { type Bench, type LoadedSuites, loadSuites, type RunOptions, type RunResult, runSuites } from '../src/index.ts'

const rootNamespace = 'istio-system'

export const BENCH: Bench = {
  rootNamespace,
  judgeOf: (objects) => MeshModel.of({ objects, rootNamespace }),
}

/** The sample suite of the repository. */
export const SAMPLE: string = join(import.meta.dirname, '../../../test/policy-tests')

export function sampleFiles(...folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(SAMPLE, folder))
      .toSorted()
      .map((name) => join(folder, name)),
  )
}

export function sampleText(name: string): string {
  return readFileSync(join(SAMPLE, name), 'utf8')
}

/** Objects of the sample; files are named as below its folder. */
export function sample(...folders: readonly string[]): readonly Sourced[] {
  return sampleFiles(...folders).flatMap((name) => objectsIn(name, sampleText(name)))
}

/** Objects of a file that must be readable. */
export function objectsIn(name: string, text: string): readonly Sourced[] {
  const { objects, problems } = readDocuments(name, text, 'default')
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
  return objects
}

/** A test over the sample's mesh, given as the text of all but its head. */
export function loadTest(body: string, ...more: readonly Sourced[]): LoadedSuites {
  return loadSuites([...sample('mesh', 'policies'), ...more, ...objectsIn('t.yaml', `${HEAD}${body}`)], BENCH)
}

/** Three lines. */
export const HEAD = 'apiVersion: ambit.dev/v1\nkind: PolicyTest\nmetadata: { name: t }\n'

/** `file:line:column: message`. */
export function problemsOf({ problems }: Pick<LoadedSuites, 'problems'>): readonly string[] {
  return problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`)
}

/** The clock stands still: results are the same every time. */
export function run(
  { suites, problems }: LoadedSuites,
  options: Pick<RunOptions, 'observe'> & { failFast?: boolean } = {},
): RunResult {
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
  return runSuites(suites, { now: () => 0, failFast: options.failFast ?? false, observe: options.observe })
}
