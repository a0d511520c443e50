import type { FileProblem, Position } from '@ambit/analyze'
import type { AskedRequest, ClientRef } from '@ambit/explain'
import type { Inventory } from './inventory.ts'
import { MAX_CASES, MAX_TEST_PROBLEMS } from './limits.ts'
import type { CaseSpec, PolicyTest, RequestSpec, Row, Written } from './policy-test.types.ts'
import { resolveClient, resolvePolicy, resolveTarget } from './resolve.ts'
import type { TestCase } from './test-case.types.ts'

export interface Expanded {
  readonly cases: readonly TestCase[]
  readonly problems: readonly FileProblem[]
}

/** Lists and tables multiplied out, names looked up. `room`: how many cases the run still takes. */
export function expandCases(test: PolicyTest, known: Inventory, room: number): Expanded {
  const { file } = test.place
  const problems = new Map<string, FileProblem>()
  const fail = ({ line, column }: Position, message: string): void => {
    // A name in a list fails once for each of the others' lists.
    problems.set(`${line}:${column}:${message}`, { file, line, column, message })
  }
  const cases: TestCase[] = []
  let left = room
  for (const spec of test.cases) {
    const asked = countOf(spec)
    left -= asked
    if (left < 0) fail(spec.at, `with the ${asked} of this entry there are more than ${MAX_CASES} cases`)
    else for (const each of expandCase(test, spec, known, fail)) cases.push(each)
    if (left < 0 || problems.size >= MAX_TEST_PROBLEMS) break
  }
  return problems.size > 0 ? { cases: [], problems: [...problems.values()] } : { cases, problems: [] }
}

function countOf({ rows, requests, sourceIps }: CaseSpec): number {
  const common = requests === undefined ? 1 : sum(requests)
  const asked = rows.reduce((total, { request }) => total + (request === undefined ? common : sum([request])), 0)
  return asked * (sourceIps?.length ?? 1)
}

function sum(requests: readonly Written<RequestSpec>[]): number {
  return requests.reduce((total, { value }) => total + value.methods.length * value.paths.length, 0)
}

type Fail = (at: Position, message: string) => void

interface Request {
  readonly text: string | undefined
  readonly value: AskedRequest | undefined
}

const CONNECTION: readonly Request[] = [{ text: undefined, value: undefined }]

function expandCase(test: PolicyTest, spec: CaseSpec, known: Inventory, fail: Fail): readonly TestCase[] {
  const cases: TestCase[] = []
  const common = spec.requests?.flatMap(requestsOf) ?? CONNECTION
  const sources = spec.sourceIps ?? [undefined]
  const titleOf = titles(spec, common.length)
  for (const row of spec.rows) {
    const requests = row.request === undefined ? common : requestsOf(row.request)
    const from = resolveClient(row.from.value, known)
    if (!from.ok) {
      fail(row.from.at, from.problem)
      continue
    }
    const to = resolveTarget(row.to.value, known, {
      hasRequest: requests !== CONNECTION,
      hasSni: spec.sni !== undefined,
      clientNamespace: namespaceOf(from.value),
    })
    if (!to.ok) {
      fail(row.to.at, to.problem)
      continue
    }
    const { by } = row.expected
    const problem = by && resolvePolicy(by, known)
    if (by !== undefined && problem !== undefined) fail(by.at, problem)
    for (const request of requests)
      for (const sourceIp of sources) {
        const question = { from: from.value, to: to.value, request: request.value, sni: spec.sni, sourceIp }
        cases.push({
          test: test.name,
          name: titleOf(row, request.text, sourceIp),
          file: test.place.file,
          ...spec.at,
          from: sourceIp === undefined ? row.from.text : `${row.from.text} (${sourceIp})`,
          to: row.to.text,
          request: request.text,
          question,
          expected: row.expected,
        })
      }
  }
  return cases
}

function requestsOf({ value }: Written<RequestSpec>): readonly Request[] {
  const { methods, paths, host, headers, claims } = value
  return methods.flatMap((method) =>
    paths.map((path) => ({ text: `${method} ${path}`, value: { method, path, host, headers, claims } })),
  )
}

function namespaceOf(client: ClientRef): string | undefined {
  return 'namespace' in client ? client.namespace : undefined
}

/** The entry's name and what is different about a case of it; without a name all there is to say. */
function titles(
  { name, rows, sourceIps }: CaseSpec,
  requests: number,
): (row: Row, request: string | undefined, sourceIp: string | undefined) => string {
  const differs = (text: (row: Row) => string | undefined): boolean =>
    rows.some((row) => text(row) !== text(rows[0] ?? row))
  const unnamed = name === undefined
  const fromDiffers = unnamed || differs(({ from }) => from.text)
  const toDiffers = unnamed || differs(({ to }) => to.text)
  const requestDiffers = unnamed || requests > 1 || rows.some(({ request }) => request !== undefined)
  const sourceDiffers = (sourceIps?.length ?? 0) > 1
  return ({ from, to }, request, sourceIp) => {
    const way = [...(fromDiffers ? [from.text] : []), ...(toDiffers ? [`→ ${to.text}`] : [])]
    const parts = [
      ...way,
      ...(requestDiffers && request !== undefined ? [request] : []),
      ...(sourceDiffers || (unnamed && sourceIp !== undefined) ? [`from ${sourceIp}`] : []),
    ]
    const detail = parts.join(' ')
    return unnamed ? detail : detail === '' ? name : `${name}: ${detail}`
  }
}
