import test from 'ava'
import { PrometheusMetrics } from '../src/index.ts'

test('families without samples are left out and the body ends in EOF', async (t) => {
  const metrics = new PrometheusMetrics()
  metrics.counter({ name: 'unused', help: 'h', labelNames: ['a'] })
  t.is(await metrics.expose(), '# EOF\n')
})

test('counters end in _total once, whatever name was given', async (t) => {
  const metrics = new PrometheusMetrics()
  metrics.counter({ name: 'one', help: 'h', labelNames: ['a'] }).add({ a: 'x' }, 2)
  metrics.counter({ name: 'two_total', help: 'h', labelNames: ['a'] }).add({ a: 'y"\n' })
  t.is(
    await metrics.expose(),
    [
      '# HELP one h',
      '# TYPE one counter',
      'one_total{a="x"} 2',
      '# HELP two h',
      '# TYPE two counter',
      'two_total{a="y\\"\\n"} 1',
      '# EOF',
      '',
    ].join('\n'),
  )
})

test('a family stops growing at its limit and says so', async (t) => {
  const metrics = new PrometheusMetrics({ maxSeriesPerFamily: 2 })
  const counter = metrics.counter({ name: 'c', help: 'h', labelNames: ['a'] })
  for (const a of ['1', '2', '3', '1', '4']) counter.add({ a })
  const body = await metrics.expose()
  t.true(body.includes('c_total{a="1"} 2\n'))
  t.false(body.includes('c_total{a="3"}'))
  t.true(body.includes('ambit_metric_series_dropped_total{metric="c"} 2\n'))
})

test('a function gauge is read at each scrape', async (t) => {
  const metrics = new PrometheusMetrics()
  let value: number | undefined = 1
  metrics.gaugeFunction({ name: 'g', help: 'h' }, () => value)
  t.true((await metrics.expose()).includes('g 1\n'))
  value = undefined
  t.false((await metrics.expose()).includes('g 1\n'))
})
