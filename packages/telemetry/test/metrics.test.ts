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

test('series kept by a component are told at a scrape, and count towards the limit from their first value on', async (t) => {
  const metrics = new PrometheusMetrics({ maxSeriesPerFamily: 1 })
  const counter = metrics.counter({ name: 'c', help: 'h', labelNames: ['a'] })
  const idle = counter.series({ a: 'idle' })
  const kept = counter.series({ a: '1' })
  kept.add()
  kept.add(2)
  counter.add({ a: '1' })
  idle.add()
  idle.add()
  t.regex(await metrics.expose(), /^c_total\{a="1"\} 4$/m)
  kept.add(0)
  kept.add(5)
  const body = await metrics.expose()
  t.regex(body, /^c_total\{a="1"\} 9$/m)
  t.false(body.includes('idle'))
  t.regex(body, /^ambit_metric_series_dropped_total\{metric="c"\} 2$/m)
})

test('a histogram counts by bucket, whether by labels or by series', async (t) => {
  const metrics = new PrometheusMetrics({ maxSeriesPerFamily: 1 })
  const histogram = metrics.histogram({ name: 'h', help: 'what', labelNames: ['a'], buckets: [1, 10] })
  const series = histogram.series({ a: 'x"' })
  t.is(await metrics.expose(), '# EOF\n')
  for (const value of [0.5, 1, 10.5]) series.observe(value)
  histogram.observe({ a: 'x"' }, 7)
  histogram.observe({ a: 'y' }, 7)
  histogram.series({ a: 'z' }).observe(7)
  t.is(
    await metrics.expose(),
    [
      '# HELP ambit_metric_series_dropped Samples not recorded because their metric already has the most label sets it may have',
      '# TYPE ambit_metric_series_dropped counter',
      'ambit_metric_series_dropped_total{metric="h"} 2',
      '# HELP h what',
      '# TYPE h histogram',
      'h_bucket{le="1",a="x\\""} 2',
      'h_bucket{le="10",a="x\\""} 3',
      'h_bucket{le="+Inf",a="x\\""} 4',
      'h_sum{a="x\\""} 19',
      'h_count{a="x\\""} 4',
      '# EOF',
      '',
    ].join('\n'),
  )
})
