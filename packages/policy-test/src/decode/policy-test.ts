import type { FilePlace, FileProblem, Sourced } from '@ambit/analyze'
import { nearestWord } from '@ambit/core'
import { type PolicyTest, TEST_API_VERSION, TEST_KIND } from '../policy-test.types.ts'
import { readCase } from './case.ts'
import { readNamespace, readService, readWorkload } from './declared.ts'
import { type Path, Reader, spell } from './reader.ts'

const GROUP = `${TEST_API_VERSION.split('/')[0]}/`
const FIELDS = ['apiVersion', 'kind', 'metadata', 'namespaces', 'workloads', 'services', 'cases'] as const

/** Whether a document of a file is meant to be a test; what else there is are manifests. */
export function isPolicyTest({ object: { apiVersion, kind } }: Sourced): boolean {
  return apiVersion.startsWith(GROUP) || kind === TEST_KIND
}

export interface DecodedTest {
  /** Undefined when there are problems. */
  readonly test: PolicyTest | undefined
  readonly problems: readonly FileProblem[]
}

/** Decodes a document. Nothing of it counts as long as anything in it is not understood. */
export function decodePolicyTest(object: unknown, place: FilePlace): DecodedTest {
  const reader = new Reader(place)
  const test = readPolicyTest(reader, object, place)
  return reader.failed ? { test: undefined, problems: reader.problems } : { test, problems: [] }
}

function readPolicyTest(reader: Reader, object: unknown, place: FilePlace): PolicyTest | undefined {
  const fields = reader.fields(object, [], 'a test', FIELDS)
  if (fields === undefined) return undefined
  const { apiVersion, kind } = fields
  if (apiVersion !== TEST_API_VERSION)
    reader.fail(['apiVersion'], `apiVersion of a test is ${TEST_API_VERSION}, not ${spell(apiVersion)}`)
  if (kind !== TEST_KIND) {
    const near = typeof kind === 'string' && nearestWord([TEST_KIND], kind) !== undefined
    reader.fail(['kind'], `${TEST_API_VERSION} has the kind ${TEST_KIND}, not ${spell(kind)}${near ? '; a slip?' : ''}`)
  }
  const metadata = reader.fields(fields['metadata'], ['metadata'], 'metadata', METADATA)
  const name = reader.text(metadata?.['name'], ['metadata', 'name'], 'metadata.name')
  const readAll = <T>(
    field: string,
    read: (reader: Reader, item: unknown, path: Path) => T | undefined,
  ): readonly T[] =>
    reader.list(fields[field], [field], field).flatMap((item, i) => read(reader, item, [field, i]) ?? [])
  const namespaces = readAll('namespaces', readNamespace)
  const workloads = readAll('workloads', readWorkload)
  const services = readAll('services', readService)
  const cases = readAll('cases', readCase)
  if (reader.list(fields['cases'], ['cases'], 'cases').length === 0 && !reader.failed)
    reader.fail(['cases'], 'a test without cases tests nothing')
  const names = new Map<string, number>()
  for (const { name: title, at } of cases) {
    if (title === undefined) continue
    const before = names.get(title)
    if (before !== undefined) reader.failAt(at, `another case, of line ${before}, is called ${spell(title)} too`)
    names.set(title, at.line)
  }
  return name === undefined ? undefined : { name, place, namespaces, workloads, services, cases }
}

/** What objects of Kubernetes may have; of a test only the name counts. */
const METADATA = ['name', 'namespace', 'labels', 'annotations'] as const
