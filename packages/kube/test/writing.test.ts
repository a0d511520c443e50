import { silentLogger } from '@ambit/core'
import test from 'ava'
import {
  ensureObject,
  KINDS,
  KubeClient,
  loadKubeConfig,
  reviewToken,
  type StatusWrite,
  StatusWriter,
  statusOf,
  verdictOf,
} from '../src/index.ts'
import { eager } from './support/parts.ts'
import { failure, json, pod, TinyApi } from './support/tiny-api.ts'

const write = (message: string, name = 'x'): StatusWrite => ({
  kind: KINDS.service,
  namespace: 'a',
  name,
  fieldManager: 'me',
  status: { conditions: [{ message }] },
})

test('status is applied under the manager’s name, equal wishes once', async (t) => {
  await using api = await TinyApi.start()
  let body = ''
  api.once('PATCH /api/v1/namespaces/a/services/x/status fieldManager=me force=true', (request, response, text) => {
    body = `${request.headers['content-type']} ${text}`
    response.end('{}')
  })
  using writer = new StatusWriter({ client: api.client, clock: eager, logger: silentLogger })
  writer.write(write('one'))
  writer.write(write('one'))
  await writer.settled()
  writer.write(write('one'))
  await writer.settled()
  t.is(api.requests.length, 1)
  t.is(
    body,
    'application/apply-patch+yaml {"apiVersion":"v1","kind":"Service","metadata":{"namespace":"a","name":"x"},"status":{"conditions":[{"message":"one"}]}}',
  )
})

test('an object that was made anew under its old name is owed what the old one said', async (t) => {
  await using api = await TinyApi.start()
  for (let i = 0; i < 2; i++) api.once('PATCH', (_request, response) => response.end('{}'))
  using writer = new StatusWriter({ client: api.client, clock: eager, logger: silentLogger })
  for (const uid of ['1', '1', '2']) {
    writer.write({ ...write('one'), uid })
    await writer.settled()
  }
  t.is(api.requests.length, 2)
})

test('a failed write is tried again with the latest wish', async (t) => {
  await using api = await TinyApi.start()
  const { promise, resolve } = Promise.withResolvers<string>()
  api.once('PATCH', failure(500, 'InternalError'))
  api.once('PATCH', (_request, response, text) => {
    response.end('{}')
    resolve(text)
  })
  using writer = new StatusWriter({ client: api.client, clock: eager, logger: silentLogger })
  writer.write(write('one'))
  t.regex(await promise, /one/)
})

test('an object that is gone is not tried again', async (t) => {
  await using api = await TinyApi.start()
  api.once('PATCH', failure(404, 'NotFound'))
  using writer = new StatusWriter({ client: api.client, clock: eager, logger: silentLogger })
  writer.write(write('one'))
  await writer.settled()
  t.is(api.requests.length, 1)
})

test('of two that create the same object the slower takes what is there', async (t) => {
  await using api = await TinyApi.start()
  api.once('GET', failure(404, 'NotFound'))
  api.once('POST', failure(409, 'AlreadyExists'))
  api.once('GET', json(200, pod('x', '7')))
  const got = await ensureObject(api.client, KINDS.pod, pod('x', ''), () => undefined)
  t.is(got.metadata.resourceVersion, '7')
})

test('the server’s refusal keeps its status and words', async (t) => {
  await using api = await TinyApi.start()
  api.once('DELETE', failure(403, 'Forbidden'))
  const error = await t.throwsAsync(api.client.delete(KINDS.pod, { namespace: 'a', name: 'x' }))
  t.is(statusOf(error), 403)
  t.regex(error.message, /DELETE .*pods\/x: scripted Forbidden/)
})

test('names can not leave their place in the path', async (t) => {
  await using api = await TinyApi.start()
  api.once('GET', failure(404, 'NotFound'))
  t.is(await api.client.get(KINDS.pod, { namespace: 'a', name: '../secrets/x' }), undefined)
  t.deepEqual(api.requests, ['GET /api/v1/namespaces/a/pods/..%2Fsecrets%2Fx'])
})

const user = {
  username: 'system:serviceaccount:istio-system:ztunnel',
  extra: { 'authentication.kubernetes.io/pod-name': ['zt'], 'authentication.kubernetes.io/pod-uid': ['1'] },
}

test('a token review names the caller', async (t) => {
  await using api = await TinyApi.start()
  let body = ''
  api.once('POST tokenreviews', (request, response, text) => {
    body = text
    json(201, { status: { authenticated: true, audiences: ['istio-ca'], user } })(request, response, text)
  })
  const verdict = await reviewToken(api.client, { token: 'secret', audience: 'istio-ca' })
  t.deepEqual(verdict, {
    authenticated: true,
    caller: { namespace: 'istio-system', serviceAccount: 'ztunnel', podName: 'zt', podUid: '1' },
  })
  t.deepEqual((JSON.parse(body) as { spec: unknown }).spec, { token: 'secret', audiences: ['istio-ca'] })
})

for (const [what, status] of [
  ['no status', undefined],
  ['not authenticated', { authenticated: false, error: 'expired' }],
  ['no audience', { authenticated: true, user }],
  ['another audience', { authenticated: true, audiences: ['api'], user }],
  ['a person', { authenticated: true, audiences: ['istio-ca'], user: { username: 'alice' } }],
  [
    'a name with too many parts',
    { authenticated: true, audiences: ['istio-ca'], user: { username: 'system:serviceaccount:a:b:c' } },
  ],
] as const)
  test(`a token review with ${what} is a refusal`, (t) => t.false(verdictOf(status, 'istio-ca').authenticated))

test('outside a cluster and without a kubeconfig the error says what to set', (t) => {
  const error = t.throws(() => loadKubeConfig(), { code: 'KUBE_CONFIG' })
  t.regex(error.message, /set KUBECONFIG/)
  t.throws(() => loadKubeConfig({ kubeconfig: '/nowhere' }), { code: 'KUBE_CONFIG' })
})

test('plain HTTP is refused unless verification is off', async (t) => {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromClusterAndUser({ name: 'c', server: 'http://127.0.0.1:1', skipTLSVerify: false }, { name: 'u' })
  using client = new KubeClient(config)
  await t.throwsAsync(client.get(KINDS.pod, { namespace: 'a', name: 'x' }), { message: /HTTP protocol is not allowed/ })
})
