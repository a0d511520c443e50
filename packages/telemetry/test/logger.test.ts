import type { Clock, LogFields } from '@ambit/core'
import { systemClock } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { createLogger, formatLogFilter, mergeFilters, parseLogFilter } from '../src/index.ts'

const clock: Clock = { ...systemClock, now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6), monotonic: () => 1.0075 }

function record(options: { level?: string; format?: 'plain' | 'json' } = {}) {
  const lines: string[] = []
  return { lines, logger: createLogger({ ...options, clock, write: (line) => lines.push(line) }) }
}

const line = test.macro((t, fields: LogFields, want: string) => {
  const { lines, logger } = record()
  logger.scope('access').info('connection complete', fields)
  t.deepEqual(lines, [`2026-01-02T03:04:05.006007Z\tinfo\taccess\tconnection complete${want}\n`])
})

test('a line without fields ends after its message', line, {}, '')
test('undefined fields are left out', line, { a: undefined, b: 1 }, '\tb=1')
test('strings are quoted, numbers and booleans bare', line, { s: 'x y', n: 3, f: true }, '\ts="x y" n=3 f=true')
test('addresses are bare', line, { 'src.addr': '10.0.0.1:80', to: '[::1]:9' }, '\tsrc.addr=10.0.0.1:80 to=[::1]:9')
test(
  'a host with a port is bare in an address field',
  line,
  { 'dst.hbone_addr': 'a.b.svc:80' },
  '\tdst.hbone_addr=a.b.svc:80',
)
test('an address field with anything else in it is quoted', line, { 'dst.addr': 'a b="c' }, '\tdst.addr="a b=\\"c"')
test('line breaks cannot forge a line', line, { s: 'x\ninfo' }, '\ts="x\\ninfo"')

test('json lines have the fields under their dotted names and cannot be overwritten', (t) => {
  const { lines, logger } = record({ format: 'json' })
  logger.warn('m', { 'src.addr': '1.1.1.1:1', level: 'forged' })
  t.deepEqual(JSON.parse(lines.join('')), {
    level: 'warn',
    time: '2026-01-02T03:04:05.006007Z',
    scope: 'app',
    message: 'm',
    'src.addr': '1.1.1.1:1',
  })
})

test('info is the default and debug is silent', (t) => {
  const { lines, logger } = record()
  logger.debug('no')
  logger.info('yes')
  t.is(lines.length, 1)
})

test('the longest scope decides', (t) => {
  const { logger } = record({ level: 'warn,dns=info,dns:upstream=trace' })
  t.false(logger.scope('xds').enabled('info'))
  t.true(logger.scope('dns').enabled('info'))
  t.true(logger.scope('dns:upstream').enabled('trace'))
  t.false(logger.scope('dnsmasq').enabled('info'))
})

test('the filter changes at run time and goes back', (t) => {
  const { logger } = record()
  const access = logger.scope('access')
  t.is(logger.filter.add('access=debug'), undefined)
  t.true(access.enabled('debug'))
  t.is(logger.filter.current(), 'access=debug,info')
  logger.filter.reset()
  t.false(access.enabled('debug'))
  t.is(logger.filter.current(), 'info')
})

test('a bare scope and an unknown level are refused', (t) => {
  const { logger } = record()
  t.truthy(logger.filter.add('access'))
  t.truthy(logger.filter.add('access=loud'))
  t.is(logger.filter.current(), 'info')
})

test('any text either parses to a filter that prints itself stably, or is refused', (t) => {
  const word = fc.constantFrom(
    'info',
    'off',
    'a=debug',
    'a:b=trace',
    '=',
    'x',
    ',',
    ' ',
    '__proto__',
    'constructor=info',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word).map((words) => words.join(',')),
      ),
      (text) => {
        const parsed = parseLogFilter(text)
        if (!parsed.ok) return true
        const printed = formatLogFilter(mergeFilters({ clauses: [] }, parsed.filter))
        const again = parseLogFilter(printed)
        return again.ok && formatLogFilter(again.filter) === printed
      },
    ),
  )
  t.pass()
})
