import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { SpdySession } from '../../src/apiserver/http/spdy.ts'
import {
  MAX_ANNOTATION_BYTES,
  MAX_BODY_BYTES,
  MAX_CONNECTIONS,
  MAX_DEPTH,
  MAX_HEADER_BYTES,
  MAX_LIST_SNAPSHOTS,
  MAX_PATCH_OPERATIONS,
  MAX_SPDY_FRAME_BYTES,
  MAX_TOKEN_BYTES,
  MAX_WATCH_QUEUE_EVENTS,
  MIN_TOKEN_SECONDS,
} from '../../src/apiserver/limits.ts'
import { startApi, type TestApi } from './harness.ts'

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'
const GVR = { group: '', version: 'v1', resource: 'configmaps' }

const withApi = (body: (t: ExecutionContext, api: TestApi) => Promise<void>) => async (t: ExecutionContext) => {
  await using api = await startApi()
  await body(t, api)
}

const config = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', ...more },
})

test(
  'what is too large is refused with a status, and the server goes on',
  withApi(async (t, { fetchJson }) => {
    const post = (body: unknown) => fetchJson(CONFIG_MAPS, { method: 'POST', body })
    t.is((await post({ ...config('a'), data: { k: 'x'.repeat(MAX_BODY_BYTES) } })).status, 413)
    t.is((await post(config('a', { annotations: { k: 'x'.repeat(MAX_ANNOTATION_BYTES) } }))).status, 422)
    t.is((await post(`{"a":${'['.repeat(MAX_DEPTH * 3)}${']'.repeat(MAX_DEPTH * 3)}}`)).status, 400)
    t.is((await fetchJson(CONFIG_MAPS, { headers: { 'x-long': 'y'.repeat(MAX_HEADER_BYTES) } })).status, 431)
    t.is((await fetchJson(CONFIG_MAPS, { token: 'x'.repeat(MAX_TOKEN_BYTES + 1) })).status, 401)
    t.is((await post(config('a'))).status, 201)
    const patch = Array.from({ length: MAX_PATCH_OPERATIONS + 1 }, () => ({ op: 'test', path: '/kind', value: 'x' }))
    const headers = { 'content-type': 'application/json-patch+json' }
    t.is((await fetchJson(`${CONFIG_MAPS}/a`, { method: 'PATCH', headers, body: patch })).status, 400)
    const spec = { expirationSeconds: MIN_TOKEN_SECONDS - 1 }
    const tokens = '/api/v1/namespaces/default/serviceaccounts/default/token'
    const asked = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
    t.true([400, 422].includes((await fetchJson(tokens, { method: 'POST', body: asked })).status))
  }),
)

test(
  'the oldest of too many paged lists is forgotten, and its reader starts again',
  withApi(async (t, { api, fetchJson }) => {
    for (const name of ['a', 'b']) await api.client.create(GVR, config(name))
    const first = await fetchJson(`${CONFIG_MAPS}?limit=1`)
    const token = (first.body.metadata as { continue?: string }).continue ?? ''
    const next = () => fetchJson(`${CONFIG_MAPS}?limit=1&continue=${encodeURIComponent(token)}`)
    t.is((await next()).status, 200)
    for (let i = 0; i <= MAX_LIST_SNAPSHOTS; i++) await fetchJson(`${CONFIG_MAPS}?limit=1`)
    t.is((await next()).status, 410)
  }),
)

test(
  'a watcher in the process that falls too far behind is told to list again',
  withApi(async (t, { api }) => {
    const { signal } = new AbortController()
    const { resourceVersion } = await api.client.list(GVR)
    const events = api.client.watch(GVR, { resourceVersion, signal })[Symbol.asyncIterator]()
    const first = events.next()
    const made = await api.client.create(GVR, config('a'))
    t.is((await first).value?.type, 'ADDED')
    t.is(made.kind, 'ConfigMap')
    for (let i = 0; i <= MAX_WATCH_QUEUE_EVENTS; i++)
      await api.client.patch(GVR, 'default', 'a', { data: { count: String(i) } })
    await t.throwsAsync(Promise.resolve(events.next()), { message: /list again/ })
  }),
)

test(
  'connections above the limit are closed',
  withApi(async (t, { url }) => {
    const port = Number(new URL(url).port)
    const dial = async (): Promise<Socket> => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      return socket
    }
    const open: Socket[] = []
    for (let i = 0; i < MAX_CONNECTIONS; i++) open.push(await dial())
    const refused = await dial()
    await once(refused, 'close')
    for (const socket of open) socket.destroy()
    await Promise.all(open.map((socket) => once(socket, 'close')))
    t.is(refused.bytesRead, 0)
  }),
)

test('a SPDY frame above the limit ends the session', async (t) => {
  const io = new PassThrough()
  const ended = Promise.withResolvers<void>()
  SpdySession.serve(io, { onStream: (_headers, stream) => stream.resume(), onEnd: ended.resolve })
  const header = Buffer.alloc(8)
  header.writeUInt16BE(0x8003)
  header.writeUInt16BE(6, 2)
  header.writeUInt32BE(MAX_SPDY_FRAME_BYTES + 1, 4)
  io.write(header)
  await ended.promise
  t.pass()
})
