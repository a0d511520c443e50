import test from 'ava'
import { FlowRecorder } from '../src/flows/flow-recorder.ts'
import type { FlowsEnd, FlowsLine, RecordedFlow } from '../src/flows/flows.types.ts'
import { readFlows } from '../src/flows/read-flows.ts'
import { MAX_PATH_TEMPLATES, MAX_RECORDED_GAPS } from '../src/limits.ts'
import { AT, connectionFlow, requestFlow } from './flow-samples.ts'

const END = { at: AT, complete: true, reason: 'stopped' }

function recorder(
  reads: { readonly headers?: readonly string[]; readonly claims?: readonly string[] } = {},
): FlowRecorder {
  return new FlowRecorder({
    startedAt: AT,
    namespaces: [],
    reads: { headers: [], claims: [], paths: [], ...reads },
    waypointPods: [],
  })
}

const flowsIn = (lines: readonly FlowsLine[]): readonly RecordedFlow[] => lines.filter((line) => line.kind === 'flow')
const endOf = (lines: readonly FlowsLine[]): FlowsEnd | undefined => lines.findLast((line) => line.kind === 'end')

test('requests that policies can not tell apart are one line, with their number and times', (t) => {
  const recording = recorder()
  recording.add(requestFlow({ path: '/api/1' }))
  recording.add(
    requestFlow({ path: '/api/22' }, { startedAt: '2026-11-21T17:00:00.000Z', at: '2026-11-21T19:00:00.000Z' }),
  )
  recording.add(requestFlow({ method: 'POST', path: '/api/1' }))
  const lines = recording.lines(END)
  const [most, other, ...rest] = flowsIn(lines)
  t.deepEqual(rest, [])
  t.like(most, {
    judge: 'waypoint',
    count: 2,
    firstSeen: '2026-11-21T17:00:00.000Z',
    lastSeen: '2026-11-21T19:00:00.000Z',
    request: { method: 'GET', path: '/api/{number}' },
    outcome: 'allowed',
  })
  t.like(other, { count: 1, request: { method: 'POST' } })
  t.like(endOf(lines), { complete: true, flows: 2, counted: 3 })
})

test('headers and claims that no policy reads stay out, and so do addresses and queries', (t) => {
  const recording = recorder({ headers: ['x-team'], claims: ['iss'] })
  recording.add(
    requestFlow({
      headers: { 'x-team': 'red', cookie: 'secret' },
      claims: { iss: 'https://issuer.example', email: 'ann@x' },
    }),
  )
  const [flow] = flowsIn(recording.lines(END))
  t.deepEqual(flow?.request?.headers, { 'x-team': 'red' })
  t.deepEqual(flow?.request?.claims, { iss: 'https://issuer.example' })
  t.notRegex(JSON.stringify(flow), /secret|ann@x|10\.1\.0/)
})

test('what several proxies tell of the same is counted once', (t) => {
  const recording = recorder()
  const source = connectionFlow({ side: 'source' })
  recording.add(source)
  recording.add(connectionFlow())
  recording.add(requestFlow())
  // Behind the waypoint: its own connection to the endpoint.
  const behind = {
    address: '10.1.0.9:5000',
    identity: 'spiffe://cluster.local/ns/shop/sa/waypoint',
    namespace: 'shop',
    pod: 'waypoint-1',
  }
  recording.add(connectionFlow({ client: behind }))
  t.deepEqual(
    flowsIn(recording.lines(END)).map(({ judge, count }) => [judge, count]),
    [
      ['ztunnel', 1],
      ['waypoint', 1],
    ],
  )
})

test('a connection that is open counts once, whether it ends or not', (t) => {
  const recording = recorder()
  const open = connectionFlow({ state: 'open' })
  recording.add(open)
  recording.add({ ...open, bytesFromClient: 10 })
  t.is(recording.counted, 1)
  t.is(endOf(recording.lines(END))?.counted, 1)
  recording.add({ ...open, state: 'closed' })
  t.is(recording.counted, 1)
  t.is(endOf(recording.lines(END))?.counted, 1)
})

test('denied and failed are told apart from allowed', (t) => {
  const recording = recorder()
  recording.add(requestFlow())
  recording.add(
    requestFlow({}, { state: 'denied', verdict: { allowed: false, reason: 'deny-policy', policy: 'shop/p', rule: 0 } }),
  )
  recording.add(requestFlow({}, { state: 'failed' }))
  t.deepEqual(
    flowsIn(recording.lines(END))
      .map(({ outcome }) => outcome)
      .toSorted(),
    ['allowed', 'denied', 'failed'],
  )
})

test('more paths than are kept become one, and that is told', (t) => {
  const recording = recorder()
  const word = (i: number): string =>
    String(i)
      .split('')
      .map((digit) => 'abcdefghij'[Number(digit)])
      .join('')
  for (let i = 0; i < MAX_PATH_TEMPLATES + 3; i++) recording.add(requestFlow({ path: `/${word(i)}` }))
  const lines = recording.lines(END)
  t.is(flowsIn(lines).find(({ request }) => request?.path === '/{other}')?.count, 3)
  t.true(lines.some((line) => line.kind === 'gap' && line.message.includes('more paths than are kept')))
})

test('gaps of one kind are counted, and those of too many kinds too', (t) => {
  const recording = recorder()
  recording.gap('node-1: 3 lines were lost', AT)
  recording.gap('node-1: 3 lines were lost', AT)
  for (let i = 0; i < MAX_RECORDED_GAPS + 1; i++) recording.gap(`gap ${i}`, AT)
  const gaps = recording.lines(END).filter((line) => line.kind === 'gap')
  t.like(gaps[0], { message: 'node-1: 3 lines were lost', count: 2 })
  t.like(gaps.at(-1), { message: 'further gaps, of other kinds', count: 2 })
})

test('what is written can be read again', (t) => {
  const recording = recorder({ headers: ['x-team'] })
  recording.add(requestFlow({ headers: { 'x-team': 'red' } }))
  recording.add(connectionFlow({ client: { address: '192.0.2.9:1' }, service: undefined }))
  recording.gap('a node could not be asked', AT)
  const lines = recording.lines(END)
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const read = readFlows(text)
  if (!read.ok) return t.fail(read.reason)
  const { header, flows, gaps, end, problems } = read.flows
  t.deepEqual(problems, [])
  t.deepEqual(JSON.parse(JSON.stringify([header, ...flows, ...gaps, end])), JSON.parse(JSON.stringify(lines)))
})
