import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { ContainerLog } from '../src/kubelet/container-log.ts'
import { LIMITS } from '../src/limits.ts'

const NOW = Date.parse('2026-01-02T03:04:05.678Z')
const { signal } = new AbortController()

function newLog(t: ExecutionContext): ContainerLog {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-log-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return new ContainerLog(join(folder, 'a', '0.log'), () => NOW)
}

test('lines are put together from chunks, the last one without its end too', async (t) => {
  const log = newLog(t)
  log.write('stdout', Buffer.from('on'))
  log.write('stdout', Buffer.from('e\ntwo\nthr'))
  log.write('stderr', Buffer.from('oops\n'))
  log.close()
  t.is(await text(log.read({ follow: false, signal })), 'one\ntwo\noops\nthr\n')
})

test('tail, limit and timestamps', async (t) => {
  const log = newLog(t)
  log.write('stdout', Buffer.from('one\ntwo\nthree\n'))
  t.is(await text(log.read({ follow: false, tailLines: 2, signal })), 'two\nthree\n')
  t.is(await text(log.read({ follow: false, tailLines: 0, signal })), '')
  t.is(await text(log.read({ follow: false, limitBytes: 5, signal })), 'one\nt')
  t.is(
    await text(log.read({ follow: false, tailLines: 1, timestamps: true, signal })),
    '2026-01-02T03:04:05.678000002Z three\n',
  )
  t.is(await text(log.read({ follow: false, sinceSeconds: 1, signal })), 'one\ntwo\nthree\n')
  log.close()
})

test('a follower gets the past, then the future, then the end', async (t) => {
  const log = newLog(t)
  log.write('stdout', Buffer.from('past\n'))
  const read = text(log.read({ follow: true, signal }))
  log.write('stdout', Buffer.from('future\n'))
  log.close()
  t.is(await read, 'past\nfuture\n')
})

test('a follower that gives up ends', async (t) => {
  const log = newLog(t)
  const giveUp = new AbortController()
  const read = text(log.read({ follow: true, signal: giveUp.signal }))
  giveUp.abort()
  t.is(await read, '')
  log.close()
})

test('a line without end is split', async (t) => {
  const log = newLog(t)
  log.write('stdout', Buffer.alloc(40_000, 'x'))
  log.close()
  t.is((await text(log.read({ follow: false, signal }))).split('\n').length, 4)
})

test('a full log becomes the older one, and a new one begins', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-log-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, '0.log')
  const log = new ContainerLog(path, () => NOW)
  const line = Buffer.from(`${'x'.repeat(LIMITS.logLineBytes - 1)}\n`)
  for (let bytes = 0; bytes <= LIMITS.containerLogBytes; bytes += line.length) log.write('stdout', line)
  log.close()
  t.true(statSync(`${path}.1`).size <= LIMITS.containerLogBytes)
  t.true(statSync(path).size < statSync(`${path}.1`).size)
})

test('a follower that does not read is let go, and the log goes on', async (t) => {
  const log = newLog(t)
  const slow = log.read({ follow: true, signal })
  const failed = once(slow, 'error') as Promise<[Error]>
  for (let line = 0; line <= LIMITS.logFollowerLines + 1; line++) log.write('stdout', Buffer.from('x\n'))
  t.regex((await failed)[0].message, /too slow/)
  log.close()
  t.is((await text(log.read({ follow: false, tailLines: 1, signal }))).length, 2)
})
