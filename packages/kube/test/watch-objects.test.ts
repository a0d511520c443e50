import { type Clock, silentLogger } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { KINDS, type KubeObject, ObjectSet, type ReadonlyObjectSet, watchObjects } from '../src/index.ts'
import { SHORT_WATCH_MS, WATCH_SILENCE_MS } from '../src/limits.ts'
import { readLines } from '../src/watch-lines.ts'
import { eager } from './support/parts.ts'
import { events, failure, list, pod, TinyApi } from './support/tiny-api.ts'

/** Never waits, and nothing ever takes too long. */
const hasty: Clock = { ...eager, after: () => ({ [Symbol.dispose]: () => {} }) }

/** Watches pods; `until` resolves when the set, rendered as `name@version`, is as expected. */
function watch(
  api: TinyApi,
  clock: Clock = hasty,
): AsyncDisposable & { set: ReadonlyObjectSet<KubeObject>; until(expected: string): Promise<void> } {
  const end = new AbortController()
  const set = watchObjects({
    client: api.client,
    kind: KINDS.pod,
    signal: end.signal,
    logger: silentLogger,
    clock,
  })
  const render = (): string =>
    [...set]
      .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
      .sort()
      .join(' ')
  return {
    set,
    async until(expected) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = (): void => {
        if (render() === expected) resolve()
      }
      using _subscription = set.subscribe({ add: look, update: look, delete: () => setImmediate(look) })
      look()
      await promise
    },
    [Symbol.asyncDispose]: () => {
      end.abort()
      return Promise.resolve()
    },
  }
}

test('lists, then follows changes from there', async (t) => {
  await using api = await TinyApi.start()
  api.once('GET limit=', list('5', pod('x', '3')))
  api.once(
    'watch=true resourceVersion=5',
    events([
      { type: 'ADDED', object: pod('y', '6') },
      { type: 'MODIFIED', object: pod('x', '7') },
      { type: 'BOOKMARK', object: { metadata: { resourceVersion: '8' } } },
    ]),
  )
  api.once('watch=true resourceVersion=8', events([{ type: 'DELETED', object: pod('y', '9') }], { stayOpen: true }))
  await using watching = watch(api)
  await watching.set.synced
  await watching.until('x@7')
  t.true(watching.set.isSynced)
})

for (const [how, handler] of [
  ['an answer', failure(410, 'Expired')],
  ['an event', events([{ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }])],
] as const) {
  test(`a version too old, said by ${how}, is answered by a new list that reports only differences`, async (t) => {
    await using api = await TinyApi.start()
    api.once('GET limit=', list('5', pod('x', '3'), pod('y', '4')))
    api.once('watch=true resourceVersion=5', handler)
    api.once('GET limit=', list('20', pod('x', '3'), pod('z', '19')))
    await using watching = watch(api)
    const seen: string[] = []
    using _subscription = watching.set.subscribe({
      add: ({ metadata }) => seen.push(`+${metadata.name}`),
      update: ({ metadata }) => seen.push(`~${metadata.name}`),
      delete: ({ metadata }) => seen.push(`-${metadata.name}`),
    })
    await watching.until('x@3 z@19')
    t.deepEqual(seen, ['+x', '+y', '-y', '+z'])
  })
}

test('a watch that breaks off goes on where it was, without a new list', async (t) => {
  await using api = await TinyApi.start()
  api.once('GET limit=', list('5'))
  api.once('watch=true resourceVersion=5', (_request, response) => {
    response.writeHead(200)
    response.write(`${JSON.stringify({ type: 'ADDED', object: pod('x', '6') })}\n`)
    setImmediate(() => response.destroy())
  })
  api.once('watch=true resourceVersion=6', events([{ type: 'ADDED', object: pod('y', '7') }], { stayOpen: true }))
  await using watching = watch(api)
  await watching.until('x@6 y@7')
  t.is(api.requests.filter((line) => line.includes('limit=')).length, 1)
})

test('a watch that ended in its own time is made again without a wait, so that nothing is heard late', async (t) => {
  await using api = await TinyApi.start()
  let monotonic = 0
  // Who waits on this clock waits for ever.
  const still: Clock = { ...hasty, monotonic: () => monotonic, sleep: () => new Promise(() => {}) }
  api.once('GET limit=', list('5', pod('x', '3')))
  api.once('watch=true resourceVersion=5', (_request, response) => {
    monotonic += SHORT_WATCH_MS
    response.writeHead(200)
    response.end()
  })
  api.once('watch=true resourceVersion=5', (_request, response) => {
    monotonic += SHORT_WATCH_MS
    response.destroy()
  })
  api.once('watch=true resourceVersion=5', failure(410, 'Expired'))
  api.once('GET limit=', list('20', pod('x', '19')))
  await using watching = watch(api, still)
  await watching.until('x@19')
  t.pass()
})

test('a server that ends every watch at once is asked again only after a wait', async (t) => {
  await using api = await TinyApi.start()
  const waits: number[] = []
  const patient: Clock = {
    ...hasty,
    monotonic: () => 0,
    sleep: async (ms) => void waits.push(ms),
  }
  api.once('GET limit=', list('5'))
  api.once('watch=true resourceVersion=5', events([]))
  api.once('watch=true resourceVersion=5', events([]))
  api.once('watch=true resourceVersion=5', events([{ type: 'ADDED', object: pod('x', '6') }], { stayOpen: true }))
  await using watching = watch(api, patient)
  await watching.until('x@6')
  t.is(waits.length, 2)
})

test('a watch that says nothing at all is made again from where it was', async (t) => {
  await using api = await TinyApi.start()
  const silences: (() => void)[] = []
  const clock: Clock = {
    ...hasty,
    after: (ms, callback) => {
      t.is(ms, WATCH_SILENCE_MS)
      silences.push(callback)
      return { [Symbol.dispose]: () => {} }
    },
  }
  api.once('GET limit=', list('5'))
  api.once('watch=true resourceVersion=5', (_request, response) => {
    response.writeHead(200)
    response.flushHeaders()
    silences[0]?.()
  })
  api.once('watch=true resourceVersion=5', events([{ type: 'ADDED', object: pod('x', '6') }], { stayOpen: true }))
  await using watching = watch(api, clock)
  await watching.until('x@6')
  t.is(api.requests.filter((line) => line.includes('limit=')).length, 1)
})

test('a kind the cluster does not have is empty and looked for again', async (t) => {
  await using api = await TinyApi.start()
  api.once('GET limit=', failure(404, 'NotFound'))
  api.once('GET limit=', list('5', pod('x', '3')))
  await using watching = watch(api)
  await watching.set.synced
  await watching.until('x@3')
  t.pass()
})

test('long lists are read page by page', async (t) => {
  await using api = await TinyApi.start()
  api.once('GET continue=more', list('5', pod('y', '4')))
  api.once('GET limit=', (_request, response) =>
    response.end(JSON.stringify({ metadata: { resourceVersion: '5', continue: 'more' }, items: [pod('x', '3')] })),
  )
  await using watching = watch(api)
  await watching.until('x@3 y@4')
  t.pass()
})

test('nonsense from the server is retried, not fatal', async (t) => {
  await using api = await TinyApi.start()
  api.once('GET limit=', (_request, response) => response.end('<html>'))
  api.once('GET limit=', list('5'))
  api.once('watch=true', (_request, response) => response.end('{"type":"ADDED"}\n'))
  api.once('watch=true', events([{ type: 'ADDED', object: pod('x', '6') }], { stayOpen: true }))
  await using watching = watch(api)
  await watching.until('x@6')
  t.pass()
})

test('a set replaced by a list equals that list', (t) => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'))
  fc.assert(
    fc.property(fc.array(names, { maxLength: 6 }), (lists) => {
      const set = new ObjectSet<KubeObject>()
      const followed = new Set<string>()
      set.subscribe({
        add: ({ metadata }) => followed.add(metadata.name),
        delete: ({ metadata }) => followed.delete(metadata.name),
      })
      for (const some of lists) set.replace(some.map((name) => pod(name, '1')))
      const last = lists.at(-1) ?? []
      t.deepEqual([...followed].sort(), [...last].sort())
      t.is(set.size, last.length)
    }),
  )
})

test('lines come out whole however the bytes were cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme', minLength: 1 }).filter((s) => !s.includes('\n'))),
      fc.integer({ min: 1, max: 7 }),
      async (lines, size) => {
        const bytes = Buffer.from(lines.join('\n'))
        async function* cut(): AsyncGenerator<Buffer> {
          for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
        }
        const out: string[] = []
        for await (const line of readLines(cut())) out.push(line)
        t.deepEqual(out, lines)
      },
    ),
  )
})

test('a line without end is refused', async (t) => {
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(1024, 'x')
  }
  await t.throwsAsync(
    async () => {
      for await (const _ of readLines(endless(), 10_000)) t.fail()
    },
    { code: 'KUBE_ANSWER' },
  )
})
