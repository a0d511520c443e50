import { Duplex } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { fillDefaults, pruneUnknown } from '../../src/apiserver/crd/schema-shape.ts'
import { decodeEnvelope, decodeObject } from '../../src/apiserver/http/protobuf-decode.ts'
import { parseResourcePath } from '../../src/apiserver/http/request-info.ts'
import { parseHeaderBlock, SpdySession } from '../../src/apiserver/http/spdy.ts'
import { takeFrame } from '../../src/apiserver/http/websocket.ts'
import { BuiltinTypes } from '../../src/apiserver/schema/builtin-types.ts'
import { StatusError } from '../../src/apiserver/status-error.ts'
import { parseFieldSelector, parseLabelSelector } from '../../src/apiserver/store/selectors.ts'
import { humanDuration } from '../../src/apiserver/tables/duration.ts'
import { jsonPathValues } from '../../src/apiserver/tables/json-path.ts'

const types = new BuiltinTypes()
const bytes = fc.uint8Array({ maxLength: 400 })

function onlyStatus(body: () => unknown): void {
  try {
    body()
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
  }
}

test('any bytes are protobuf or a 400', (t) => {
  fc.assert(
    fc.property(bytes, (raw) => {
      onlyStatus(() => decodeEnvelope(Buffer.concat([Buffer.from('k8s\0'), raw])))
      onlyStatus(() => decodeObject(types.get('apps.Deployment'), { apiVersion: 'apps/v1', kind: 'Deployment', raw }))
    }),
    { numRuns: 1000 },
  )
  t.pass()
})

test('any bytes are a WebSocket frame, the start of one, or refused', (t) => {
  fc.assert(
    fc.property(bytes, (raw) => {
      const frame = takeFrame(Buffer.from(raw))
      if (typeof frame === 'object') t.true(frame.size <= raw.length)
    }),
    { numRuns: 1000 },
  )
  t.is(takeFrame(Buffer.from([0x82, 0x01, 0x00])), 'broken', 'a client must mask')
  t.is(takeFrame(Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), 'too-big')
})

test('any bytes are a SPDY header block or not', (t) => {
  fc.assert(
    fc.property(bytes, (raw) => void parseHeaderBlock(Buffer.from(raw))),
    { numRuns: 1000 },
  )
  t.is(parseHeaderBlock(Buffer.from([0, 0, 0, 9])), undefined)
})

test('a SPDY session survives any bytes and ends', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 5 }), async (parts) => {
      let ended = 0
      const io = new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback() })
      const over = new Promise<void>((resolve) => {
        SpdySession.serve(io, {
          onStream: (_headers, stream) => stream.resume(),
          onEnd() {
            ended++
            resolve()
          },
        })
      })
      for (const part of parts) io.push(Buffer.from(part))
      io.push(null)
      await over
      t.is(ended, 1)
    }),
    { numRuns: 200 },
  )
})

test('any path and any selector are read or refused', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseResourcePath(`/api/v1/${text}`)
      onlyStatus(() => parseLabelSelector(text))
      onlyStatus(() => parseFieldSelector('Pod', text))
      jsonPathValues({ a: [1] }, text)
    }),
    { numRuns: 1000 },
  )
  t.pass()
})

const path = test.macro({
  exec: (t, url: string, expected: Record<string, string> | undefined) => {
    const info = parseResourcePath(url)
    if (expected === undefined) t.is(info, undefined)
    else t.like(info, expected)
  },
  title: (_, url) => `path ${String(url)}`,
})
test(path, '/api/v1/namespaces/a/pods/p/exec', { namespace: 'a', resource: 'pods', name: 'p', subresource: 'exec' })
test(path, '/api/v1/namespaces/a', { namespace: '', resource: 'namespaces', name: 'a', subresource: '' })
test(path, '/api/v1/namespaces/a/finalize', { resource: 'namespaces', name: 'a', subresource: 'finalize' })
test(path, '/api/v1/namespaces/a/pods', { namespace: 'a', resource: 'pods', name: '' })
test(path, '/apis/apps/v1/deployments', { group: 'apps', resource: 'deployments' })
test(path, '/version', undefined)
test(path, '/api/v1/%zz', undefined)

const labels = test.macro({
  exec: (t, selector: string, own: Record<string, string>, expected: boolean) => {
    t.is(parseLabelSelector(selector)({ apiVersion: '', kind: '', metadata: { labels: own } }), expected)
  },
  title: (_, selector, own) => `selector ${String(selector)} on ${JSON.stringify(own)}`,
})
test(labels, 'a=b', { a: 'b' }, true)
test(labels, 'a=b,c', { a: 'b' }, false)
test(labels, 'a!=b', {}, true)
test(labels, 'a in (b, c),!d', { a: 'c' }, true)
test(labels, 'a notin (b)', { a: 'b' }, false)
test(labels, 'app.kubernetes.io/name==x', { 'app.kubernetes.io/name': 'x' }, true)

test('pruning keeps what the schema names, and what it leaves open', (t) => {
  const schema = {
    properties: { spec: { properties: { a: {}, open: { 'x-kubernetes-preserve-unknown-fields': true } } } },
  }
  const value = { metadata: {}, spec: { a: 1, b: 2, open: { c: 3 } }, extra: 1 }
  t.deepEqual(pruneUnknown(schema, value), ['spec.b', 'extra'])
  t.deepEqual(value as unknown, { metadata: {}, spec: { a: 1, open: { c: 3 } } })
})

test('defaults fill in, also below other defaults', (t) => {
  const value: Record<string, unknown> = {}
  fillDefaults({ properties: { a: { default: {}, properties: { b: { default: 1 } } } } }, value)
  t.deepEqual(value, { a: { b: 1 } })
})

test('ages read as kubectl shows them', (t) => {
  const s = 1000
  t.deepEqual([45 * s, 200 * s, 3600 * s, 5 * 3600 * s, 50 * 3600 * s, 12 * 86400 * s].map(humanDuration), [
    '45s',
    '3m20s',
    '60m',
    '5h',
    '2d2h',
    '12d',
  ])
})

test('printer columns reach list items by condition', (t) => {
  const object = {
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'X', status: 'False' },
      ],
    },
  }
  t.deepEqual(jsonPathValues(object, '.status.conditions[?(@.type=="Ready")].status'), ['True'])
  t.deepEqual(jsonPathValues({ spec: { hosts: ['a', 'b'] } }, '.spec.hosts[*]'), ['a', 'b'])
})
