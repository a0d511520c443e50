import { systemClock } from '@ambit/core'
import test from 'ava'
import { FakeClock } from '../../testing/src/fake-clock.ts'
import { decodeFlowLine, type Flow, FlowJournal, type FlowLine, type LiveFlow, readFlowQuery } from '../src/index.ts'
import {
  FLOW_HEARTBEAT_MS,
  FLOW_UPDATE_MS,
  MAX_FLOW_FOLLOWERS,
  MAX_KEPT_DENIALS,
  MAX_KEPT_FAILURES,
} from '../src/limits.ts'
import { flow } from './support/flows.ts'

class Live implements LiveFlow {
  progress = 0
  isOpen = true
  readonly id: string

  constructor(id: string) {
    this.id = id
  }

  tell(): Flow | undefined {
    return this.isOpen ? flow({ id: this.id, bytesFromClient: this.progress }) : undefined
  }
}

function query(text = '') {
  const asked = readFlowQuery(new URLSearchParams(text), Date.parse('2026-11-21T18:00:00Z'))
  if (!asked.ok) throw new TypeError(asked.reason)
  return asked.query
}

function start(options: { readonly maxWaitingChars?: number; readonly clock?: FakeClock } = {}) {
  const live = new Set<Live>()
  const journal = new FlowJournal({ live: () => live, clock: options.clock ?? systemClock }, options)
  const open = (id: string): Live => {
    const opened = new Live(id)
    live.add(opened)
    journal.opened(opened)
    return opened
  }
  const close = (ended: Live, state: Flow['state'] = 'closed'): void => {
    live.delete(ended)
    ended.isOpen = false
    journal.ended(flow({ id: ended.id, state, bytesFromClient: ended.progress }))
  }
  return { journal, open, close }
}

function read(chunk: string): readonly FlowLine[] {
  return chunk
    .split('\n')
    .filter((line) => line !== '')
    .map(decodeFlowLine)
}

/** As `id state bytes`, losses as `lost N`. */
function shown(chunk: string): readonly string[] {
  return read(chunk).map((line) =>
    'lost' in line ? `lost ${line.lost}` : `${line.flow.id} ${line.flow.state} ${line.flow.bytesFromClient}`,
  )
}

async function all(lines: AsyncIterable<string>): Promise<readonly string[]> {
  const chunks: string[] = []
  for await (const chunk of lines) chunks.push(chunk)
  return shown(chunks.join(''))
}

test('asked once: what was denied and failed lately, and what is open', async (t) => {
  const { journal, open, close } = start()
  close(open('a'), 'denied')
  close(open('b'), 'failed')
  close(open('c'))
  open('d')
  const { signal } = new AbortController()
  t.deepEqual(await all(journal.lines(query(), signal)), ['a denied 0', 'b failed 0', 'd open 0'])
  t.deepEqual(await all(journal.lines(query('state=denied'), signal)), ['a denied 0'])
  t.deepEqual(await all(journal.lines(query('since=2026-11-21T18:00:01Z'), signal)), ['d open 0'])
  t.deepEqual(await all(journal.lines(query('namespace=elsewhere'), signal)), [])
  t.false(journal.isFollowed)
})

test('denials and failures are remembered up to a number of each, so that neither drives out the other', async (t) => {
  const { journal, open, close } = start()
  close(open('failed'), 'failed')
  for (let i = 0; i < MAX_KEPT_DENIALS + 3; i++) close(open(`d${i}`), 'denied')
  const told = await all(journal.lines(query(), new AbortController().signal))
  t.is(told.length, MAX_KEPT_DENIALS + 1)
  t.is(told[0], 'd3 denied 0')
  t.is(told.at(-1), 'failed failed 0')
  for (let i = 0; i < MAX_KEPT_FAILURES; i++) close(open(`f${i}`), 'failed')
  t.is((await all(journal.lines(query('state=failed'), new AbortController().signal)))[0], 'f0 failed 0')
})

test('a follower is told what happens, in order, and updates of bytes at their time', async (t) => {
  const clock = new FakeClock()
  const { journal, open, close } = start({ clock })
  const a = open('a')
  const following = new AbortController()
  const lines = journal.lines(query('watch=true'), following.signal)
  t.deepEqual(shown((await lines.next()).value ?? ''), ['a open 0'])
  t.true(journal.isFollowed)
  const b = open('b')
  t.deepEqual(shown((await lines.next()).value ?? ''), ['b open 0'])
  a.progress = 7
  const next = lines.next()
  await clock.advance(FLOW_UPDATE_MS)
  t.deepEqual(shown((await next).value ?? ''), ['a open 7'], 'b has nothing new')
  close(b)
  close(a, 'failed')
  t.deepEqual(shown((await lines.next()).value ?? ''), ['b closed 0', 'a failed 7'])
  const waiting = lines.next()
  await clock.advance(FLOW_HEARTBEAT_MS)
  t.deepEqual(await waiting, { value: '\n', done: false }, 'a sign of life')
  const last = lines.next()
  following.abort()
  t.deepEqual(await last, { value: undefined, done: true })
  t.false(journal.isFollowed)
})

test('what happens while the present is told comes after it', async (t) => {
  const { journal, open, close } = start()
  const a = open('a')
  const lines = journal.lines(query('watch=true'), new AbortController().signal)
  const first = lines.next()
  close(a)
  const told = [...shown((await first).value ?? '')]
  while (told.at(-1) !== 'a closed 0') told.push(...shown((await lines.next()).value ?? ''))
  t.true(told.length <= 2)
  await lines.return()
})

test('who reads too slowly is told how many lines are lost, and then what is open', async (t) => {
  const { journal, open, close } = start({ maxWaitingChars: 3_000 })
  const stays = open('stays')
  const lines = journal.lines(query('watch=true'), new AbortController().signal)
  t.deepEqual(shown((await lines.next()).value ?? ''), ['stays open 0'])
  for (let i = 0; i < 100; i++) close(open(`x${i}`))
  stays.progress = 5
  const told = shown((await lines.next()).value ?? '')
  const [, lost] = /^lost (\d+)$/.exec(told[0] ?? '') ?? []
  t.is(Number(lost) + told.length - 1, 200, 'each line was told or counted')
  t.is(told.at(-1), 'x99 closed 0', 'the newest are there')
  t.deepEqual(shown((await lines.next()).value ?? ''), ['stays open 5'])
  await lines.return()
})

test('followers beyond the limit find no room until one leaves', async (t) => {
  const { journal } = start()
  const leaving = Array.from({ length: MAX_FLOW_FOLLOWERS }, () => new AbortController())
  const followers = leaving.map(({ signal }) => journal.lines(query('watch=true'), signal))
  const waiting = followers.map((each) => each.next())
  t.false(journal.hasRoom)
  leaving[0]?.abort()
  await waiting[0]
  t.true(journal.hasRoom)
  for (const each of leaving) each.abort()
  await Promise.all(waiting)
  t.false(journal.isFollowed)
})

test('a question is understood, or refused with what there is', (t) => {
  const now = Date.parse('2026-11-21T18:00:00Z')
  const read = (text: string) => readFlowQuery(new URLSearchParams(text), now)
  t.deepEqual(read('watch=true&state=denied&state=failed&namespace=a&namespace=b&id=x&since=10m'), {
    ok: true,
    query: {
      watch: true,
      states: new Set<Flow['state']>(['denied', 'failed']),
      namespaces: new Set(['a', 'b']),
      id: 'x',
      sinceMs: now - 600_000,
    },
  })
  for (const bad of ['watch=yes', 'state=asleep', 'since=5', 'since=10d', 'follow=true']) t.false(read(bad).ok, bad)
})
