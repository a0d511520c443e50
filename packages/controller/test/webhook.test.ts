// control-plane.md 8.1: who the webhook answers, and how its configurations come to ask it.
import { once } from 'node:events'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { connect } from 'node:tls'
import { systemClock, Watchable } from '@ambit/core'
import { CertificateAuthority } from '@ambit/identity'
import { KINDS, type KubeObject, watchObjects } from '@ambit/kube'
import { RecordingLogger, RecordingMetrics } from '@ambit/testing'
import test from 'ava'
import { ServingCredentials, servingNames } from '../src/ca/serving-credentials.ts'
import { MAX_REVIEW_BYTES, MAX_REVIEW_BYTES_IN_FLIGHT } from '../src/limits.ts'
import { keepWebhooks, webhookNames } from '../src/validation/keep-webhooks.ts'
import { WebhookServer } from '../src/validation/webhook-server.ts'
import { startTestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'

const SERVICE = 'istiod.istio-system.svc'

async function startServer() {
  const { ca } = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
  const authority = new Watchable(ca)
  const logger = new RecordingLogger()
  const names = servingNames('istio-system', 'default', 'cluster.local')
  const credentials = new ServingCredentials({ authority, clock: systemClock, logger }, names)
  const metrics = new RecordingMetrics()
  const server = new WebhookServer({ followKeys: (listener) => credentials.follow(listener), metrics, logger })
  const port = await server.listen('127.0.0.1', 0)
  const ask = async (
    body: string | Buffer,
    { path = '/validate', ...options }: RequestOptions = {},
  ): Promise<{ readonly status: number; readonly body: string }> => {
    const sent = httpsRequest({
      host: '127.0.0.1',
      servername: SERVICE,
      port,
      path,
      method: 'POST',
      ca: authority.value.rootsPem,
      headers: { 'content-type': 'application/json' },
      agent: false,
      ...options,
    })
    sent.end(body)
    const [answer] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }]
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk)
    return { status: answer.statusCode, body: Buffer.concat(chunks).toString() }
  }
  return {
    authority,
    metrics,
    port,
    ask,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      credentials[Symbol.dispose]()
    },
  }
}

const question = (spec: object): string =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: 'CREATE',
      kind: { group: 'networking.istio.io', version: 'v1', kind: 'VirtualService' },
      object: { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'x' }, spec },
    },
  })

test('it answers by TLS with the name of the Service, in the certificate of the mesh', async (t) => {
  await using server = await startServer()
  const { status, body } = await server.ask(question({ hosts: ['s'] }))
  t.is(status, 200)
  t.like(JSON.parse(body), { response: { uid: 'u', allowed: false } })
  const good = await server.ask(question({ hosts: ['s'], http: [{ route: [{ destination: { host: 's' } }] }] }))
  t.like(JSON.parse(good.body), { response: { uid: 'u', allowed: true } })
  await t.throwsAsync(server.ask('{}', { servername: 'elsewhere.example' }), { message: /altnames/ })
  const { ca } = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
  await t.throwsAsync(server.ask('{}', { ca: ca.rootsPem }))
  const plain = connect({ host: '127.0.0.1', port: server.port, maxVersion: 'TLSv1.1', rejectUnauthorized: false })
  await t.throwsAsync(once(plain, 'secureConnect'))
})

test('a renewed authority serves at once', async (t) => {
  await using server = await startServer()
  const { ca } = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
  server.authority.set(ca)
  t.is((await server.ask(question({}))).status, 200)
})

test('what is no question is told so, and has an end', async (t) => {
  await using server = await startServer()
  t.is((await server.ask('{}')).status, 400)
  t.is((await server.ask('not json')).status, 400)
  t.is((await server.ask('{}', { path: '/other' })).status, 404)
  t.is((await server.ask('', { method: 'GET' })).status, 405)
  t.is((await server.ask('{}', { headers: { 'content-type': 'text/plain' } })).status, 415)
  const headers = { 'content-type': 'application/json', 'content-length': String(MAX_REVIEW_BYTES + 1) }
  const sent = httpsRequest({
    ...{ host: '127.0.0.1', port: server.port, servername: SERVICE, ca: server.authority.value.rootsPem },
    ...{ path: '/validate', method: 'POST', headers, agent: false },
  })
  sent.on('error', () => undefined)
  sent.flushHeaders()
  const [answer] = (await once(sent, 'response')) as [{ statusCode: number }]
  t.is(answer.statusCode, 413)
  sent.destroy()
  t.is((await server.ask(question({ hosts: ['s'] }))).status, 200)
})

test('questions being received have a sum, and leave room when they end', async (t) => {
  await using server = await startServer()
  const open = Array.from({ length: MAX_REVIEW_BYTES_IN_FLIGHT / MAX_REVIEW_BYTES }, () => {
    const headers = {
      'content-type': 'application/json',
      'content-length': String(MAX_REVIEW_BYTES),
      expect: '100-continue',
    }
    const sent = httpsRequest({
      ...{ host: '127.0.0.1', port: server.port, servername: SERVICE, ca: server.authority.value.rootsPem },
      ...{ path: '/validate', method: 'POST', headers, agent: false },
    })
    sent.on('error', () => undefined)
    sent.flushHeaders()
    return sent
  })
  await Promise.all(open.map((sent) => once(sent, 'continue')))
  t.is((await server.ask(question({ hosts: ['s'] }))).status, 503)
  for (const sent of open) sent.destroy()
  await eventually(async () => (await server.ask(question({ hosts: ['s'] }))).status === 200)
  const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
  t.is((await server.ask('{}', { headers })).status, 411)
})

const configuration = (name: string, caBundle?: string): KubeObject =>
  ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: 'validation.istio.io',
        clientConfig: {
          service: { name: 'istiod', namespace: 'istio-system', path: '/validate', port: 443 },
          ...(caBundle && { caBundle }),
        },
        rules: [
          {
            apiGroups: ['networking.istio.io'],
            apiVersions: ['*'],
            resources: ['*'],
            operations: ['CREATE'],
            scope: '*',
          },
        ],
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  }) as KubeObject

interface Written {
  readonly webhooks: readonly {
    readonly clientConfig: { readonly caBundle?: string }
    readonly failurePolicy: string
  }[]
}

test('our configurations get the authority, others are left alone, and nobody is refused before the webhook answers', async (t) => {
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  const { client } = cluster
  const [ours = '', byDefault = ''] = webhookNames('istio-system', 'default')
  t.deepEqual([ours, byDefault], ['istio-validator-istio-system', 'istiod-default-validator'])
  t.is(webhookNames('istio-system', 'canary')[0], 'istio-validator-canary-istio-system')
  await cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } })
  for (const name of [ours, byDefault, 'foreign']) await client.create(KINDS.validatingWebhook, configuration(name))
  const end = new AbortController()
  const { signal } = end
  const authority = new Watchable({ rootsPem: 'one' })
  const configurations = watchObjects({ client, kind: KINDS.validatingWebhook, signal, logger })
  const parts = { client, configurations, authority, clock: systemClock, logger }
  const kept = keepWebhooks(parts, { namespace: 'istio-system', revision: 'default' }, signal)
  const written = async (name: string) => {
    const found = (await client.get(KINDS.validatingWebhook, { name })) as unknown as Written
    const [webhook] = found.webhooks
    return { ca: webhook?.clientConfig.caBundle, failurePolicy: webhook?.failurePolicy }
  }
  const has = (pem: string) => async (): Promise<boolean> => {
    const all = await Promise.all([ours, byDefault].map(written))
    return all.every(({ ca }) => ca === Buffer.from(pem).toString('base64'))
  }
  await eventually(has('one'))
  // The Gateway kind is not even there: whatever the dry run says, nobody has denied it.
  t.deepEqual((await written(ours)).failurePolicy, 'Ignore')
  authority.set({ rootsPem: 'two' })
  await eventually(has('two'))
  t.is((await written('foreign')).ca, undefined)
  end.abort()
  await kept
})
