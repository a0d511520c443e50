import test from 'ava'
import { loadOptions } from '../src/programs/fortio/load-options.ts'
import { summary } from '../src/programs/fortio/summary.ts'

test('flags are read as in the tasks that use them', (t) => {
  t.like(loadOptions('-c 3 -qps 0 -n 30 -loglevel Warning http://httpbin:8000/get'.split(' ')), {
    connections: 3,
    qps: 0,
    calls: 30,
    durationMs: undefined,
    url: 'http://httpbin:8000/get',
  })
  t.like(loadOptions(['-quiet', '-t', '1m', '-H', 'a: b:c', 'httpbin:8000']), {
    durationMs: 60_000,
    headers: { a: 'b:c' },
    url: 'http://httpbin:8000',
  })
  t.is(loadOptions(['-c', 'many']).connections, 4)
})

test('a summary counts by code', (t) => {
  const outcomes = [200, 200, 200, 503].map((code, index) => ({ code, ms: index }))
  const text = summary(outcomes, { connections: 1, tookMs: 1000 })
  t.regex(text, /^Code 200 : 3 \(75\.0 %\)\nCode 503 : 1 \(25\.0 %\)$/m)
  t.regex(text, /All done 4 calls .* 4\.0 qps/)
})
