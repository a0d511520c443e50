import { encodeFlow } from '@ambit/flow'
import test from 'ava'
import { FlowRecorder } from '../src/flows/flow-recorder.ts'
import { type FlowsVerdict, readFlows } from '../src/flows/read-flows.ts'
import { MAX_FLOWS_LINE, MAX_FLOWS_PROBLEMS } from '../src/limits.ts'
import { AT, requestFlow } from './flow-samples.ts'

const recording = new FlowRecorder({
  startedAt: AT,
  namespaces: [],
  reads: { headers: [], claims: [], paths: [] },
  waypointPods: [],
})
recording.add(requestFlow())
const LINES = recording.lines({ at: AT, complete: true, reason: 'stopped' }).map((line) => JSON.stringify(line))
const [HEADER = '', FLOW = '', END = ''] = LINES

function reasonOf(verdict: FlowsVerdict): string {
  return verdict.ok ? 'it was read' : verdict.reason
}

const refused = test.macro({
  exec(t, text: string, reason: RegExp) {
    t.regex(reasonOf(readFlows(text)), reason)
  },
  title: (title) => title ?? '',
})

test(
  'an older format says how to make a newer one',
  refused,
  HEADER.replace('flows/v1', 'flows/v0'),
  /^line 1: an older version wrote it \(ambit\.flows\/v0.*record again/,
)
test(
  'a newer format is not guessed at',
  refused,
  HEADER.replace('flows/v1', 'flows/v2'),
  /^line 1: a newer version wrote it \(ambit\.flows\/v2/,
)
test(
  'flows as proxies tell them are no recording',
  refused,
  encodeFlow(requestFlow()),
  /not a recording; record some: ambit record/,
)
test('a file without header', refused, FLOW, /the header is missing/)
test('an empty file', refused, '', /this is no recording of flows/)
test('something else', refused, 'kind: List', /this is no recording of flows: not JSON/)
test(
  'a header of which half is missing',
  refused,
  '{"kind":"header","format":"ambit.flows/v1"}',
  /startedAt is missing/,
)

test('a last line that is cut short is told, and what is before it is read', (t) => {
  const read = readFlows(`${HEADER}\n${FLOW}\n${FLOW.slice(0, 100)}`)
  if (!read.ok) return t.fail(read.reason)
  t.is(read.flows.flows.length, 1)
  t.is(read.flows.end, undefined)
  t.deepEqual(read.flows.problems, ['line 3: it is cut short'])
})

test('a line that can’t be read takes nothing from the others', (t) => {
  const wrong = [
    '{"kind":"toString"}',
    '[]',
    FLOW.replace('"count":1', '"count":-1'),
    FLOW.replace('"judge":"waypoint"', '"judge":"nobody"'),
    `{"kind":"flow","padding":"${'x'.repeat(MAX_FLOWS_LINE)}"}`,
    HEADER,
  ]
  const read = readFlows([HEADER, ...wrong, FLOW, END, ''].join('\n'))
  if (!read.ok) return t.fail(read.reason)
  t.is(read.flows.flows.length, 1)
  t.is(read.flows.end?.complete, true)
  t.deepEqual(read.flows.problems, [
    'line 2: unknown kind "toString"',
    'line 3: not a JSON object',
    'line 4: count is missing, or not what it should be',
    'line 5: judge is missing, or not what it should be',
    'line 6: it is too long',
    'line 7: another header',
  ])
})

test('of very many mistakes some are told, and how many there are', (t) => {
  const read = readFlows([HEADER, ...Array.from({ length: MAX_FLOWS_PROBLEMS + 5 }, () => '{}')].join('\n'))
  if (!read.ok) return t.fail(read.reason)
  t.is(read.flows.problems.length, MAX_FLOWS_PROBLEMS + 1)
  t.is(read.flows.problems.at(-1), "5 further lines can't be read")
})
