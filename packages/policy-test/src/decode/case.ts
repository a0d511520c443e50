import { isIP } from 'node:net'
import { MAX_CASES } from '../limits.ts'
import {
  type CaseSpec,
  type ClientSpec,
  type Expectation,
  OUTCOMES,
  PLACES,
  type PolicyRef,
  type RequestSpec,
  type Row,
  type TargetSpec,
  type Written,
} from '../policy-test.types.ts'
import { type Json, type Path, type Reader, spell } from './reader.ts'
import { parseFullName, readClient, readTarget } from './refs.ts'
import { readRequest } from './request.ts'

const FIELDS = ['name', 'from', 'to', 'request', 'sni', 'sourceIp', 'matrix', 'expect', 'by', 'at', 'reason'] as const

type Asked = Pick<CaseSpec, 'name' | 'at' | 'requests' | 'sni' | 'sourceIps'>

/** An entry of `cases`; undefined when it could not be read, and then the reader knows why. */
export function readCase(reader: Reader, value: unknown, path: Path): CaseSpec | undefined {
  const fields = reader.fields(value, path, 'a case', FIELDS)
  if (fields === undefined) return undefined
  const asked: Asked = {
    name: reader.optionalText(fields['name'], [...path, 'name'], 'name'),
    at: reader.positionOf(path),
    requests: requestsOf(reader, fields['request'], [...path, 'request']),
    sni: reader.optionalText(fields['sni'], [...path, 'sni'], 'sni'),
    sourceIps: sourceIpsOf(reader, fields['sourceIp'], [...path, 'sourceIp']),
  }
  return fields['matrix'] === undefined ? ofLists(reader, fields, path, asked) : ofMatrix(reader, fields, path, asked)
}

function requestsOf(reader: Reader, value: unknown, path: Path): readonly Written<RequestSpec>[] | undefined {
  if (value === undefined) return undefined
  return reader.oneOrMore(value, path, 'request').flatMap(([item, at]) => readRequest(reader, item, at) ?? [])
}

function sourceIpsOf(reader: Reader, value: unknown, path: Path): readonly string[] | undefined {
  if (value === undefined) return undefined
  return reader.oneOrMore(value, path, 'sourceIp').flatMap(([item, at]) => {
    const ip = reader.text(item, at, 'sourceIp')
    if (ip === undefined || isIP(ip) !== 0) return ip ?? []
    reader.fail(at, `sourceIp is an address, not ${spell(ip)}`)
    return []
  })
}

/** Each of `from` to each of `to`. */
function ofLists(reader: Reader, fields: Json, path: Path, asked: Asked): CaseSpec | undefined {
  const clients = clientsOf(reader, fields['from'], [...path, 'from'])
  const targets = targetsOf(reader, fields['to'], [...path, 'to'])
  const outcome = reader.oneOf(fields['expect'], [...path, 'expect'], 'expect', OUTCOMES)
  const expected: Expectation = {
    outcome: outcome ?? 'deny',
    by: policyRefOf(reader, fields['by'], [...path, 'by']),
    place: fields['at'] === undefined ? undefined : reader.oneOf(fields['at'], [...path, 'at'], 'at', PLACES),
    reason: reader.optionalText(fields['reason'], [...path, 'reason'], 'reason'),
  }
  if (isTooMany(reader, path, clients.length * targets.length)) return undefined
  return { ...asked, rows: clients.flatMap((from) => targets.map((to) => ({ from, to, expected }))) }
}

/** Before they are multiplied out. */
function isTooMany(reader: Reader, path: Path, rows: number): boolean {
  if (rows <= MAX_CASES) return false
  reader.fail(path, `this entry alone is more than ${MAX_CASES} cases`)
  return true
}

function clientsOf(reader: Reader, value: unknown, path: Path): readonly Written<ClientSpec>[] {
  return reader.oneOrMore(value, path, 'from').flatMap(([item, at]) => readClient(reader, item, at) ?? [])
}

function targetsOf(reader: Reader, value: unknown, path: Path): readonly Written<TargetSpec>[] {
  return reader.oneOrMore(value, path, 'to').flatMap(([item, at]) => readTarget(reader, item, at) ?? [])
}

/** A table: a column for each destination or request, a row for each client, and in it what is expected. */
function ofMatrix(reader: Reader, fields: Json, path: Path, asked: Asked): CaseSpec | undefined {
  const at = [...path, 'matrix']
  const matrix = reader.fields(fields['matrix'], at, 'matrix', ['to', 'request', 'from'])
  for (const field of ['from', 'expect', 'by', 'at', 'reason'] as const)
    if (fields[field] !== undefined) reader.fail([...path, field], `${field} does not go with a matrix`)
  if (matrix === undefined) return undefined
  const byRequest = matrix['request'] !== undefined
  if (byRequest === (matrix['to'] !== undefined))
    return reader.fail(at, 'a matrix has its columns in one of to and request')
  const column = byRequest ? 'request' : 'to'
  if (fields[column] !== undefined)
    return reader.fail([...path, column], `${column} stands in the matrix or beside it, not in both`)
  const targets = targetsOf(
    reader,
    byRequest ? fields['to'] : matrix['to'],
    byRequest ? [...path, 'to'] : [...at, 'to'],
  )
  const requests = byRequest ? (requestsOf(reader, matrix['request'], [...at, 'request']) ?? []) : []
  const cells = reader.mapping(matrix['from'], [...at, 'from'], 'from of a matrix')
  if (cells === undefined) return undefined
  const width = byRequest ? requests.length : targets.length
  const depth = byRequest ? targets.length : 1
  if (isTooMany(reader, path, Object.keys(cells).length * width * depth)) return undefined
  const rows = Object.entries(cells).flatMap(([client, cell]) => {
    const place = [...at, 'from', client]
    const from = readClient(reader, client, place)
    const outcomes = outcomesOf(reader, cell, place, width)
    if (from === undefined) return []
    return outcomes.flatMap((outcome, i): readonly Row[] => {
      const expected = { outcome, by: undefined, place: undefined, reason: undefined }
      const request = requests[i]
      if (byRequest) return request === undefined ? [] : targets.map((to) => ({ from, to, request, expected }))
      const to = targets[i]
      return to === undefined ? [] : [{ from, to, expected }]
    })
  })
  if (Object.keys(cells).length === 0) reader.fail([...at, 'from'], 'a matrix without rows: there is nothing to test')
  return { ...asked, rows }
}

/** One for all columns, or one for each. */
function outcomesOf(reader: Reader, cell: unknown, path: Path, width: number): readonly Expectation['outcome'][] {
  if (!Array.isArray(cell)) {
    const one = reader.oneOf(cell, path, 'a cell', OUTCOMES)
    return one === undefined ? [] : Array.from({ length: width }, () => one)
  }
  if (cell.length !== width)
    reader.fail(
      path,
      `this row has ${cell.length} ${cell.length === 1 ? 'cell' : 'cells'}, the matrix ${width} columns`,
    )
  return cell.flatMap((item, i) => reader.oneOf(item, [...path, i], 'a cell', OUTCOMES) ?? [])
}

/** `namespace/name`, or `namespace/name#rule`. */
function policyRefOf(reader: Reader, value: unknown, path: Path): PolicyRef | undefined {
  const text = reader.optionalText(value, path, 'by')
  if (text === undefined) return undefined
  const [, written = '', rule] = /^([^#]*)(?:#(\d{1,6}))?$/.exec(text) ?? []
  const name = parseFullName(written)
  if (name === undefined)
    return reader.fail(path, `by is NAMESPACE/NAME of a policy or NAMESPACE/NAME#RULE, not ${spell(text)}`)
  return { ...name, rule: rule === undefined ? undefined : Number(rule), at: reader.positionOf(path) }
}
