import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import type { KubeObject } from '../../src/apiserver/contract.types.ts'
import { startApi, type TestApi } from './harness.ts'

const withApi = (body: (t: ExecutionContext, api: TestApi) => Promise<void>) => async (t: ExecutionContext) => {
  await using api = await startApi()
  await body(t, api)
}

const CONFIGS = { group: '', version: 'v1', resource: 'configmaps' }
const PODS = { group: '', version: 'v1', resource: 'pods' }
const RBAC = 'rbac.authorization.k8s.io'

const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((here, key) => (here as Record<string, unknown> | undefined)?.[key], value)

test(
  'nobody in particular sees version and health, nothing else',
  withApi(async (t, { fetchJson }) => {
    for (const path of ['/version', '/healthz', '/readyz', '/livez'])
      t.is((await fetchJson(path, { token: null })).status, 200)
    for (const path of ['/api', '/api/v1/pods', '/openapi/v3'])
      t.is((await fetchJson(path, { token: null })).status, 401, path)
    t.is((await fetchJson('/version', { token: 'x.y.z' })).status, 401)
  }),
)

test(
  'a service account may what its roles say, where they say it',
  withApi(async (t, { api, fetchJson }) => {
    const { client } = api
    const { token } = await api.issueToken({ namespace: 'default', serviceAccount: 'default' })
    const list = (namespace: string) => fetchJson(`/api/v1/namespaces/${namespace}/configmaps`, { token })
    const refused = await list('default')
    t.is(refused.status, 403)
    t.regex(
      String(at(refused.body, 'message')),
      /User "system:serviceaccount:default:default" cannot list resource "configmaps" in API group "" in the namespace "default"/,
    )
    const metadata = { name: 'r', namespace: 'default' }
    const role: KubeObject = {
      apiVersion: `${RBAC}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }],
    }
    await client.create({ group: RBAC, version: 'v1', resource: 'roles' }, role)
    const subjects = [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }]
    const binding: KubeObject = {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { kind: 'Role', name: 'r' },
      subjects,
    }
    await client.create({ group: RBAC, version: 'v1', resource: 'rolebindings' }, binding)
    t.is((await list('default')).status, 200)
    t.is((await list('kube-system')).status, 403)
    t.is(
      (
        await fetchJson('/api/v1/namespaces/default/configmaps', {
          token,
          method: 'POST',
          body: { metadata: { name: 'x' } },
        })
      ).status,
      403,
    )
    t.is(
      (
        await fetchJson('/api/v1/namespaces/default/configmaps', {
          token,
          headers: { 'impersonate-user': 'kubernetes-admin', 'impersonate-group': 'system:masters' },
        })
      ).status,
      403,
    )
  }),
)

test(
  'a token is good for its audience, and as long as its pod lives',
  withApi(async (t, { api, fetchJson }) => {
    await api.client.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'default' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    })
    const request = await fetchJson('/api/v1/namespaces/default/serviceaccounts/default/token', {
      method: 'POST',
      body: { spec: { audiences: ['istio-ca'], boundObjectRef: { kind: 'Pod', name: 'p' } } },
    })
    const token = at(request.body, 'status', 'token')
    const review = async (audiences: string[] | undefined) => {
      const { body } = await fetchJson('/apis/authentication.k8s.io/v1/tokenreviews', {
        method: 'POST',
        body: { spec: { token, audiences } },
      })
      return at(body, 'status')
    }
    const good = await review(['istio-ca'])
    t.like(good, { authenticated: true, audiences: ['istio-ca'] })
    t.is(at(good, 'user', 'username'), 'system:serviceaccount:default:default')
    t.deepEqual(at(good, 'user', 'extra', 'authentication.kubernetes.io/pod-name'), ['p'])
    t.like(await review(undefined), { authenticated: false })
    t.is((await fetchJson('/api/v1/pods', { token: String(token) })).status, 401, 'not for the API server')
    await api.client.delete(PODS, 'default', 'p')
    t.like(await review(['istio-ca']), { authenticated: false })
  }),
)

test(
  'unknown fields are refused, warned of or dropped',
  withApi(async (t, { fetchJson }) => {
    const create = (name: string, validation: string) =>
      fetchJson(`/api/v1/namespaces/default/configmaps?fieldValidation=${validation}`, {
        method: 'POST',
        body: { metadata: { name }, bogus: 1 },
      })
    const strict = await create('a', 'Strict')
    t.is(strict.status, 400)
    t.regex(String(at(strict.body, 'message')), /strict decoding error: unknown field "bogus"/)
    t.is((await create('b', 'Warn')).headers.get('warning'), '299 - "unknown field \\"bogus\\""')
    const ignored = await create('c', 'Ignore')
    t.is(ignored.headers.get('warning'), null)
    t.is(at(ignored.body, 'bogus'), undefined)
  }),
)

test(
  'bad input is told apart',
  withApi(async (t, { fetchJson }) => {
    const post = (body: unknown, headers?: Record<string, string>) =>
      fetchJson('/api/v1/namespaces/default/configmaps', { method: 'POST', body, ...(headers ? { headers } : {}) })
    t.is((await post('{')).status, 400)
    t.is((await post({ metadata: { name: 'x' }, data: [] })).status, 400)
    t.is((await post({ metadata: { name: 'X_' } })).status, 422)
    t.is((await post('a', { 'content-type': 'text/csv' })).status, 415)
    t.is((await post('k8s\0garbage', { 'content-type': 'application/vnd.kubernetes.protobuf' })).status, 400)
    t.is((await post('[1', { 'content-type': 'application/yaml' })).status, 400)
    t.is((await post('['.repeat(50_000))).status, 400)
    t.is((await post({ metadata: { name: 'x' }, kind: 'Secret' })).status, 400)
    t.is((await fetchJson('/api/v1/namespaces/default/configmaps?labelSelector=((')).status, 400)
    t.is(
      (await fetchJson('/api/v1/namespaces/none/configmaps', { method: 'POST', body: { metadata: { name: 'x' } } }))
        .status,
      404,
    )
    t.is((await fetchJson('/api/v1/%zz')).status, 404)
    t.is((await fetchJson('/healthz')).status, 200, 'and the server lives')
  }),
)

test(
  'pages of a list show one moment',
  withApi(async (t, { api, fetchJson }) => {
    const name = (index: number) => `c${index}`
    for (let index = 0; index < 7; index++)
      await api.client.create(CONFIGS, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: name(index), namespace: 'default' },
      })
    const path = '/api/v1/namespaces/default/configmaps?limit=3'
    const first = await fetchJson(path)
    t.is(at(first.body, 'metadata', 'remainingItemCount'), 5)
    await api.client.delete(CONFIGS, 'default', 'c6')
    const rest = await fetchJson(`${path}0&continue=${String(at(first.body, 'metadata', 'continue'))}`)
    t.is((at(rest.body, 'items') as unknown[]).length, 5)
    t.is((await fetchJson(`${path}&continue=OTk5Ljk`)).status, 410)
  }),
)

test(
  'a watch begins with what there is, and says where that ends',
  withApi(async (t, { api, fetchJson }) => {
    const object = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } })
    await api.client.create(CONFIGS, object('one'))
    const watch =
      'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1'
    // Several lines of JSON: handed on as they are.
    const { body } = await fetchJson(`/api/v1/namespaces/default/configmaps?${watch}`)
    const events = (body as unknown as string)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; object: KubeObject })
    t.deepEqual(
      events.map(({ type, object: { metadata } }) => `${type} ${metadata.name ?? ''}`.trim()),
      ['ADDED kube-root-ca.crt', 'ADDED one', 'BOOKMARK'],
    )
    t.is(events.at(-1)?.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true')
  }),
)

test(
  'a table has rows for people and metadata for programs',
  withApi(async (t, { fetchJson }) => {
    const { body } = await fetchJson('/api/v1/namespaces', {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
    })
    t.is(at(body, 'kind'), 'Table')
    t.deepEqual(
      (at(body, 'columnDefinitions') as { name: string }[]).map((column) => column.name),
      ['Name', 'Status', 'Age'],
    )
    t.is(at((at(body, 'rows') as unknown[])[0], 'object', 'kind'), 'PartialObjectMetadata')
  }),
)

test(
  'discovery is served aggregated and as before',
  withApi(async (t, { fetchJson }) => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
    const aggregated = await fetchJson('/apis', { headers: { accept } })
    t.is(at(aggregated.body, 'kind'), 'APIGroupDiscoveryList')
    t.regex(aggregated.headers.get('content-type') ?? '', /as=APIGroupDiscoveryList/)
    t.is(at((await fetchJson('/apis')).body, 'kind'), 'APIGroupList')
    t.is(at((await fetchJson('/apis/apps/v1')).body, 'groupVersion'), 'apps/v1')
    t.is((await fetchJson('/apis/nothing.here/v1')).status, 404)
  }),
)

/** Speaks HTTP by hand over TLS; resolves with what came before the server ended it. */
async function raw(api: TestApi, text: string | Buffer): Promise<string> {
  const { port } = new URL(api.url)
  const socket: TLSSocket = connect({
    port: Number(port),
    host: '127.0.0.1',
    ca: api.caPem,
    ALPNProtocols: ['http/1.1'],
  })
  await once(socket, 'secureConnect')
  socket.write(text)
  let answer = ''
  socket.on('data', (data: Buffer) => {
    answer += data.toString('latin1')
  })
  await new Promise<void>((resolve) => socket.once('close', () => resolve()).on('error', () => resolve()))
  return answer
}

test(
  'hostile upgrades end with a status, and the server lives',
  withApi(async (t, api) => {
    await api.api.client.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'default' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    })
    const auth = `authorization: Bearer ${api.adminToken}\r\nhost: x\r\n`
    const ask = (path: string, headers: string, body: Buffer = Buffer.alloc(0)) =>
      raw(api, Buffer.concat([Buffer.from(`GET ${path} HTTP/1.1\r\n${auth}${headers}\r\n`), body]))
    const exec = '/api/v1/namespaces/default/pods/p/exec?command=cat&stdout=1&stdin=1'
    const websocket =
      'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
    t.regex(await ask(exec, websocket), /^HTTP\/1.1 400/, 'no protocol offered')
    t.regex(await ask(exec.replace('/p/', '/q/'), websocket), /^HTTP\/1.1 404/)
    t.regex(await ask('/version', websocket), /^HTTP\/1.1 404/)
    t.regex(
      await ask(exec.split('?')[0] ?? '', `${websocket}sec-websocket-protocol: v5.channel.k8s.io\r\n`),
      /^HTTP\/1.1 400/,
      'no command',
    )
    const unmasked = Buffer.from([0x82, 0x01, 0x00])
    t.regex(await ask(exec, `${websocket}sec-websocket-protocol: v5.channel.k8s.io\r\n`, unmasked), /^HTTP\/1.1 101/)
    const spdy = 'connection: upgrade\r\nupgrade: SPDY/3.1\r\nx-stream-protocol-version: v4.channel.k8s.io\r\n'
    t.regex(await ask(exec, spdy, Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])), /^HTTP\/1.1 101/)
    t.is((await api.fetchJson('/healthz')).status, 200)
  }),
)

test(
  'a watcher that does not read is dropped, others go on',
  withApi(async (t, api) => {
    const { port } = new URL(api.url)
    const socket: TLSSocket = connect({
      port: Number(port),
      host: '127.0.0.1',
      ca: api.caPem,
      ALPNProtocols: ['http/1.1'],
    })
    await once(socket, 'secureConnect')
    socket.write(
      `GET /api/v1/configmaps?watch=1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.adminToken}\r\n\r\n`,
    )
    await once(socket, 'readable')
    socket.on('error', () => {})
    // From here on nobody reads.
    const data = { a: 'x'.repeat(200_000) }
    for (let index = 0; index < 150; index++)
      await api.api.client.create(CONFIGS, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `big${index}`, namespace: 'default' },
        data,
      })
    let received = 0
    socket.on('data', (part: Buffer) => {
      received += part.length
    })
    await new Promise<void>((resolve) => socket.once('close', () => resolve()))
    t.true(received < 150 * 200_000)
    t.is((await api.fetchJson('/healthz')).status, 200)
  }),
)
