import test from 'ava'
import fc from 'fast-check'
import { decodeFlowLine, encodeFlow, encodeLost, FLOW_FORMAT, type Flow, FlowLineError } from '../src/index.ts'
import { MAX_FLOW_LINE } from '../src/limits.ts'
import { arbitraryFlow, flow } from './support/flows.ts'

test('whatever a proxy tells is read as it was told', (t) => {
  fc.assert(
    fc.property(arbitraryFlow, (told) => {
      const line = encodeFlow(told)
      t.true(line.endsWith('}\n'))
      t.deepEqual(decodeFlowLine(line.trimEnd()), { flow: told })
    }),
  )
  t.deepEqual(decodeFlowLine(encodeLost(17).trimEnd()), { lost: 17 })
})

test('members that a later version adds are left out', (t) => {
  const line = JSON.stringify({
    format: FLOW_FORMAT,
    ...flow(),
    colour: 'blue',
    client: { ...flow().client, zone: 'a' },
  })
  t.deepEqual(decodeFlowLine(line), { flow: flow() })
})

/** A flow with one member changed, whatever its type. */
function changed(path: string, value: unknown): string {
  const json = JSON.parse(encodeFlow(flow({ request: { method: 'GET', path: '/', host: 'h', status: 200 } })))
  const names = path.split('.')
  const last = names.pop() ?? ''
  const inside = names.reduce((object, name) => (object[name] ??= {}), json)
  inside[last] = value
  return JSON.stringify(json)
}

const refused = test.macro({
  exec(t, line: string, code: string, message: RegExp) {
    t.throws(() => decodeFlowLine(line), { instanceOf: FlowLineError, code, message })
  },
  title: (title = '') => `refused: ${title}`,
})

test('no JSON', refused, '{"format', 'FLOW_LINE_NOT_JSON', /^not JSON: /)
test('a list', refused, '[]', 'FLOW_LINE_NOT_JSON', /not a JSON object/)
test('no format', refused, '{"id":"x"}', 'FLOW_FORMAT_UNKNOWN', /has no format; a flow has ambit\.flow\/v1/)
test('another format', refused, '{"format":"pcap"}', 'FLOW_FORMAT_UNKNOWN', /has the format "pcap"/)
test('a format that is no text', refused, '{"format":1}', 'FLOW_FORMAT_UNKNOWN', /has the format 1/)
test(
  'an older format',
  refused,
  '{"format":"ambit.flow/v0"}',
  'FLOW_FORMAT_OLD',
  /an older version wrote it \(ambit\.flow\/v0, this one reads ambit\.flow\/v1\); record again: ambit record/,
)
test('a newer format', refused, '{"format":"ambit.flow/v2"}', 'FLOW_FORMAT_NEW', /a newer version wrote it/)
test('a line that is too long', refused, `"${'x'.repeat(MAX_FLOW_LINE)}"`, 'FLOW_LINE_TOO_LONG', /131072 are the most/)
test('no id', refused, changed('id', undefined), 'FLOW_LINE_INVALID', /: id is not a text$/)
test(
  'a state nobody knows',
  refused,
  changed('state', 'asleep'),
  'FLOW_LINE_INVALID',
  /state is not one of open, closed/,
)
test('a time that is none', refused, changed('at', 'yesterday'), 'FLOW_LINE_INVALID', /at is not a time in UTC/)
test('a client that is no object', refused, changed('client', 'web'), 'FLOW_LINE_INVALID', /client is not an object/)
test(
  'an identity that is no text',
  refused,
  changed('client.identity', 7),
  'FLOW_LINE_INVALID',
  /client\.identity is not/,
)
test(
  'negative bytes',
  refused,
  changed('bytesToClient', -1),
  'FLOW_LINE_INVALID',
  /bytesToClient is not a whole number/,
)
test('half a byte', refused, changed('bytesToClient', 0.5), 'FLOW_LINE_INVALID', /bytesToClient is not a whole number/)
test(
  'a port beyond the last',
  refused,
  changed('service', { namespace: 'a', hostname: 'b', port: 65_536 }),
  'FLOW_LINE_INVALID',
  /service\.port/,
)
test('a status that is none', refused, changed('request.status', 1000), 'FLOW_LINE_INVALID', /request\.status/)
test(
  'a header that is no text',
  refused,
  changed('request.headers', { a: 1 }),
  'FLOW_LINE_INVALID',
  /request\.headers\.a is not a text/,
)
test(
  'a verdict without an answer',
  refused,
  changed('verdict', { reason: 'x' }),
  'FLOW_LINE_INVALID',
  /verdict\.allowed is not true or false/,
)
test(
  'policies that are no texts',
  refused,
  changed('verdict', { allowed: false, reason: '', unmatched: [1] }),
  'FLOW_LINE_INVALID',
  /verdict\.unmatched/,
)
test(
  'a transport nobody knows',
  refused,
  changed('transport.kind', 'pigeon'),
  'FLOW_LINE_INVALID',
  /transport\.kind is not one of hbone, tls, plain/,
)
test(
  'a loss that is no number',
  refused,
  JSON.stringify({ format: FLOW_FORMAT, lost: 'many' }),
  'FLOW_LINE_INVALID',
  /lost/,
)

test('whatever is read, the answer is a flow or a named refusal', (t) => {
  const member = fc.constantFrom(
    'id',
    'state',
    'client',
    'server',
    'request',
    'verdict',
    'transport',
    'service',
    'failure',
    'reporter',
    '__proto__',
  )
  fc.assert(
    fc.property(arbitraryFlow, member, fc.jsonValue(), (told, name, value) => {
      const json: Record<string, unknown> = { format: FLOW_FORMAT, ...told }
      Object.defineProperty(json, name, { value, enumerable: true })
      try {
        decodeFlowLine(JSON.stringify(json))
      } catch (error) {
        t.true(error instanceof FlowLineError)
      }
    }),
  )
  t.pass()
})

test('a header called __proto__ is a header', (t) => {
  const headers = JSON.parse('{"__proto__":"x"}') as Record<string, string>
  const request: Flow['request'] = { method: 'GET', path: '/', host: 'h', status: 200, headers }
  const read = decodeFlowLine(encodeFlow(flow({ request })))
  t.deepEqual('flow' in read ? Object.entries(read.flow.request?.headers ?? {}) : [], [['__proto__', 'x']])
})
