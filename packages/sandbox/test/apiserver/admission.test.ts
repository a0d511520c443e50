import { once } from 'node:events'
import { createServer } from 'node:https'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { systemClock } from '@ambit/core'
import test from 'ava'
import { ApiCore } from '../../src/apiserver/api-core.ts'
import type { KubeObject, ObjectClient } from '../../src/apiserver/contract.types.ts'
import { internalContext } from '../../src/apiserver/resources/request-context.ts'
import { createClusterPki } from '../../src/pki/cluster-pki.ts'
import { silent } from './harness.ts'

const ADMISSION = 'admissionregistration.k8s.io/v1'
const gvr = (group: string, resource: string) => ({ group, version: 'v1', resource })
const CONFIG_MAPS = gvr('', 'configmaps')
const PODS = gvr('', 'pods')
const VALIDATING = gvr('admissionregistration.k8s.io', 'validatingwebhookconfigurations')
const MUTATING = gvr('admissionregistration.k8s.io', 'mutatingwebhookconfigurations')
const POLICIES = gvr('admissionregistration.k8s.io', 'validatingadmissionpolicies')
const BINDINGS = gvr('admissionregistration.k8s.io', 'validatingadmissionpolicybindings')

interface Review {
  readonly path: string
  readonly request: Record<string, unknown> & { readonly uid: string }
}

type Answer = (review: Review) => Promise<Record<string, unknown>> | Record<string, unknown>

/** A webhook as it stands in a cluster: its own certificate, AdmissionReview v1. */
async function startWebhook(answer: Answer) {
  const pki = createClusterPki({ names: ['127.0.0.1', 'hook.system.svc'], nowMs: Date.now() })
  const seen: Review[] = []
  const server = createServer({ cert: pki.server.certPem, key: pki.server.keyPem }, (request, response) => {
    void (async () => {
      const review = JSON.parse(await text(request)) as { request: Review['request'] }
      const one = { path: request.url ?? '', request: review.request }
      seen.push(one)
      const body = {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: one.request.uid, ...(await answer(one)) },
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    seen,
    port,
    caBundle: Buffer.from(pki.caPem).toString('base64'),
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function setUp() {
  const core = new ApiCore({ clock: systemClock, logger: silent, caPem: '' })
  return { core, client: core.client('test') }
}

function webhook(
  hook: { port: number; caBundle: string },
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    name: 'check.example.com',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: { url: `https://127.0.0.1:${hook.port}/check`, caBundle: hook.caBundle },
    rules: [
      { operations: ['CREATE', 'UPDATE', 'DELETE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
    ],
    ...more,
  }
}

const configuration = (kind: string, name: string, webhooks: readonly unknown[]): KubeObject => ({
  apiVersion: ADMISSION,
  kind,
  metadata: { name },
  webhooks,
})

const configMap = (
  name: string,
  data: Record<string, string> = {},
  labels: Record<string, string> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', labels },
  data,
})

const refuseBad: Answer = ({ request }) => {
  const data = ((request['object'] ?? {}) as { data?: Record<string, string> }).data
  if (data?.['bad'] === undefined) return { allowed: true, warnings: ['looked at'] }
  return { allowed: false, status: { message: 'configuration is invalid: bad' } }
}

test('a validating webhook sees creations, changes and deletions, and its refusal has its words', async (t) => {
  using hook = await startWebhook(refuseBad)
  const { core, client } = setUp()
  using _core = core
  await client.create(VALIDATING, configuration('ValidatingWebhookConfiguration', 'v', [webhook(hook)]))
  await client.create(CONFIG_MAPS, configMap('good'))
  const error = await t.throwsAsync(client.create(CONFIG_MAPS, configMap('worse', { bad: '1' })))
  t.is(error?.message, 'admission webhook "check.example.com" denied the request: configuration is invalid: bad')
  t.like(error, { status: 400 })
  await t.throwsAsync(client.patch(CONFIG_MAPS, 'default', 'good', { data: { bad: '1' } }), {
    message: /denied the request/,
  })
  await client.delete(CONFIG_MAPS, 'default', 'good')
  t.deepEqual(
    hook.seen.map(({ request }) => request['operation']),
    ['CREATE', 'CREATE', 'UPDATE', 'DELETE'],
  )
  t.is(hook.seen[0]?.path, '/check?timeout=10s')
  const [, , update, removal] = hook.seen
  t.like(update?.request, { name: 'good', namespace: 'default', dryRun: false, resource: { resource: 'configmaps' } })
  t.truthy(update?.request['oldObject'])
  t.is(removal?.request['object'], null)
})

test('a mutating webhook changes what is stored, in the order of names, and is asked again when it wants to be', async (t) => {
  const add = (key: string, value: string) => ({
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify([{ op: 'add', path: `/data/${key}`, value }])).toString('base64'),
  })
  using first = await startWebhook(({ request }) =>
    add(
      'seen',
      Object.keys((request['object'] as { data: object }).data)
        .toSorted()
        .join(),
    ),
  )
  using second = await startWebhook(() => add('second', 'yes'))
  const { core, client } = setUp()
  using _core = core
  const again = { reinvocationPolicy: 'IfNeeded' }
  await client.create(MUTATING, configuration('MutatingWebhookConfiguration', 'a', [webhook(first, again)]))
  await client.create(MUTATING, configuration('MutatingWebhookConfiguration', 'b', [webhook(second)]))
  const created = await client.create(CONFIG_MAPS, configMap('x', { own: '1' }))
  t.deepEqual(created['data'], { own: '1', seen: 'own,second,seen'.split(',').toSorted().join(), second: 'yes' })
  t.is(first.seen.length, 2)
  t.is(second.seen.length, 1)
})

test('a mutated pod gets the defaults of what was added', async (t) => {
  const sidecar = [{ op: 'add', path: '/spec/containers/-', value: { name: 'sidecar', image: 'side' } }]
  using hook = await startWebhook(() => ({
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify(sidecar)).toString('base64'),
  }))
  const { core, client } = setUp()
  using _core = core
  const rules = [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }]
  await client.create(MUTATING, configuration('MutatingWebhookConfiguration', 'm', [webhook(hook, { rules })]))
  const pod = await client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default' },
    spec: { containers: [{ name: 'app', image: 'app' }] },
  })
  const { containers } = pod['spec'] as {
    containers: { name: string; imagePullPolicy: string; volumeMounts: object[] }[]
  }
  t.deepEqual(
    containers.map(({ name, imagePullPolicy, volumeMounts }) => [name, imagePullPolicy, volumeMounts.length]),
    [
      ['app', 'Always', 1],
      ['sidecar', 'Always', 1],
    ],
  )
})

test('one that cannot be asked refuses by its policy, and only what its selectors mean', async (t) => {
  using hook = await startWebhook(() => ({ allowed: true }))
  const { core, client } = setUp()
  using _core = core
  const gone = { url: `https://127.0.0.1:1/check`, caBundle: hook.caBundle }
  const objectSelector = { matchLabels: { checked: 'yes' } }
  const failing = webhook(hook, { clientConfig: gone, objectSelector })
  await client.create(VALIDATING, configuration('ValidatingWebhookConfiguration', 'v', [failing]))
  await client.create(CONFIG_MAPS, configMap('unlabelled'))
  await t.throwsAsync(client.create(CONFIG_MAPS, configMap('a', {}, { checked: 'yes' })), {
    message:
      /^Internal error occurred: failed calling webhook "check.example.com": failed to call webhook: Post "https:\/\/127.0.0.1:1/,
  })
  const ignoring = configuration('ValidatingWebhookConfiguration', 'v', [{ ...failing, failurePolicy: 'Ignore' }])
  await client.update(VALIDATING, ignoring)
  await client.create(CONFIG_MAPS, configMap('a', {}, { checked: 'yes' }))
  t.is(hook.seen.length, 0)
})

test('a certificate of another authority, or a wrong uid, counts as no answer', async (t) => {
  using hook = await startWebhook(() => ({ allowed: true }))
  using other = await startWebhook(() => ({ allowed: true, uid: 'made up' }))
  const { core, client } = setUp()
  using _core = core
  const cross = { url: `https://127.0.0.1:${hook.port}/`, caBundle: other.caBundle }
  await client.create(
    VALIDATING,
    configuration('ValidatingWebhookConfiguration', 'v', [webhook(hook, { clientConfig: cross })]),
  )
  await t.throwsAsync(client.create(CONFIG_MAPS, configMap('a')), { message: /failed calling webhook/ })
  await client.update(VALIDATING, configuration('ValidatingWebhookConfiguration', 'v', [webhook(other)]))
  await t.throwsAsync(client.create(CONFIG_MAPS, configMap('a')), { message: /response.uid/ })
})

test('a service is reached at its ready endpoint, under its own name', async (t) => {
  using hook = await startWebhook(refuseBad)
  const { core, client } = setUp()
  using _core = core
  await client.create(gvr('', 'namespaces'), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'system' } })
  await client.create(gvr('', 'services'), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'hook', namespace: 'system' },
    spec: { ports: [{ name: 'https', port: 443 }] },
  })
  const service = { namespace: 'system', name: 'hook', path: '/validate' }
  const byService = webhook(hook, { clientConfig: { service, caBundle: hook.caBundle } })
  await client.create(VALIDATING, configuration('ValidatingWebhookConfiguration', 'v', [byService]))
  await t.throwsAsync(client.create(CONFIG_MAPS, configMap('a')), {
    message: /no endpoints available for service "hook"/,
  })
  await client.create(gvr('discovery.k8s.io', 'endpointslices'), {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'hook', namespace: 'system', labels: { 'kubernetes.io/service-name': 'hook' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'https', port: hook.port }],
  })
  await client.create(CONFIG_MAPS, configMap('a'))
  t.is(hook.seen[0]?.path, '/validate?timeout=10s')
})

test('conditions in CEL spare a webhook requests', async (t) => {
  using hook = await startWebhook(() => ({ allowed: true }))
  const { core, client } = setUp()
  using _core = core
  const matchConditions = [
    { name: 'named', expression: "request.operation == 'CREATE' && object.metadata.name.startsWith('x')" },
  ]
  await client.create(
    VALIDATING,
    configuration('ValidatingWebhookConfiguration', 'v', [webhook(hook, { matchConditions })]),
  )
  await client.create(CONFIG_MAPS, configMap('a'))
  await client.create(CONFIG_MAPS, configMap('x1'))
  t.is(hook.seen.length, 1)
})

test('while a webhook thinks, a change by another is not lost', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  using hook = await startWebhook(async ({ request }) => {
    const data = (request['object'] as { data: Record<string, string> }).data
    if (data['slow'] !== undefined && data['quick'] === undefined) {
      asked.resolve()
      await promise
    }
    return { allowed: true }
  })
  const { core, client } = setUp()
  using _core = core
  await client.create(CONFIG_MAPS, configMap('x'))
  await client.create(VALIDATING, configuration('ValidatingWebhookConfiguration', 'v', [webhook(hook)]))
  const slow = client.patch(CONFIG_MAPS, 'default', 'x', { data: { slow: '1' } })
  await asked.promise
  await client.patch(CONFIG_MAPS, 'default', 'x', { data: { quick: '1' } })
  resolve()
  t.deepEqual((await slow)['data'], { slow: '1', quick: '1' })
})

async function policy(client: ObjectClient, spec: Record<string, unknown>, binding: Record<string, unknown> = {}) {
  const metadata = { name: 'rule.example.com' }
  await client.create(POLICIES, { apiVersion: ADMISSION, kind: 'ValidatingAdmissionPolicy', metadata, spec })
  await client.create(BINDINGS, {
    apiVersion: ADMISSION,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata,
    spec: { policyName: 'rule.example.com', validationActions: ['Deny'], ...binding },
  })
}

const matchConstraints = {
  resourceRules: [
    { operations: ['CREATE', 'UPDATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
  ],
}

test('a policy refuses in CEL, with variables and parameters', async (t) => {
  const { core, client } = setUp()
  using _core = core
  await client.create(CONFIG_MAPS, configMap('limits', { most: '2' }))
  await policy(
    client,
    {
      matchConstraints,
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      variables: [
        { name: 'count', expression: 'has(object.data) ? object.data.size() : 0' },
        { name: 'unused', expression: 'object.nothing.here' },
      ],
      validations: [
        {
          expression: 'variables.count <= int(params.data.most)',
          messageExpression: "'at most ' + params.data.most + ' in ' + object.metadata.namespace",
        },
      ],
    },
    { paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' } },
  )
  await client.create(CONFIG_MAPS, configMap('two', { a: '', b: '' }))
  const error = await t.throwsAsync(client.create(CONFIG_MAPS, configMap('three', { a: '', b: '', c: '' })))
  t.is(
    error?.message,
    `configmaps "three" is forbidden: ValidatingAdmissionPolicy 'rule.example.com' with binding 'rule.example.com' denied request: at most 2 in default`,
  )
  t.like(error, { status: 422, reason: 'Invalid' })
  await client.delete(CONFIG_MAPS, 'default', 'limits')
  await t.throwsAsync(client.create(CONFIG_MAPS, configMap('two-more', {})), { message: /no params found/ })
})

test('a policy that fails to evaluate refuses unless it is to be ignored; Warn only warns', async (t) => {
  const { core, client } = setUp()
  using _core = core
  const validations = [{ expression: "object.data.absent == 'x'" }]
  await policy(client, { matchConstraints, validations })
  await t.throwsAsync(client.create(CONFIG_MAPS, configMap('a', { b: '' })), { message: /resulted in error/ })
  await client.patch(BINDINGS, undefined, 'rule.example.com', { spec: { validationActions: ['Warn'] } })
  await client.create(CONFIG_MAPS, configMap('a', { b: '' }))
  await client.patch(BINDINGS, undefined, 'rule.example.com', { spec: { validationActions: ['Deny'] } })
  await client.patch(POLICIES, undefined, 'rule.example.com', { spec: { failurePolicy: 'Ignore' } })
  await client.create(CONFIG_MAPS, configMap('c', { b: '' }))
  await t.throwsAsync(
    client.create(POLICIES, {
      apiVersion: ADMISSION,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'broken' },
      spec: { matchConstraints, validations: [{ expression: 'object.(' }] },
    }),
    { message: /compilation failed/ },
  )
})

test('a policy may ask what else its requester may do', async (t) => {
  const { core, client } = setUp()
  using _core = core
  await policy(client, {
    matchConstraints,
    validations: [
      {
        expression:
          "!object.metadata.name.startsWith('guarded') || authorizer.group('').resource('secrets').namespace('default').name('key').check('get').allowed()",
        messageExpression: "'only readers of the key: ' + authorizer.path('/metrics').check('get').reason()",
      },
    ],
  })
  await client.create(CONFIG_MAPS, configMap('guarded-by-master'))
  const definition = core.registry.findResource('', 'configmaps')
  if (definition === undefined) throw new Error('configmaps')
  const user = { username: 'bob', groups: ['system:authenticated'] }
  const target = { definition, version: 'v1', namespace: 'default', name: '' }
  const create = (name: string) => core.admitted.create(target, configMap(name), { ...internalContext('test'), user })
  await create('open')
  await t.throwsAsync(create('guarded'), { message: /denied request: only readers of the key/ })
})

test("Gateway API's guard of its definitions: no old versions, no experimental over standard", async (t) => {
  const { core, client } = setUp()
  using _core = core
  const annotation = (name: string) => `object.metadata.annotations['gateway.networking.k8s.io/${name}']`
  await policy(
    client,
    {
      matchConstraints: {
        resourceRules: [
          {
            operations: ['CREATE', 'UPDATE'],
            apiGroups: ['apiextensions.k8s.io'],
            apiVersions: ['v1'],
            resources: ['*'],
          },
        ],
      },
      validations: [
        {
          expression: `object.spec.group != 'gateway.networking.k8s.io' || oldObject == null || (has(object.metadata.annotations) && object.metadata.annotations.exists(k, k == 'gateway.networking.k8s.io/channel') && ${annotation('channel')} == 'standard')`,
          message: 'no experimental definitions over standard ones',
          reason: 'Invalid',
        },
        {
          expression: `object.spec.group != 'gateway.networking.k8s.io' || (has(object.metadata.annotations) && !matches(${annotation('bundle-version')}, 'v1.[0-4].\\\\d+') && !matches(${annotation('bundle-version')}, 'v0'))`,
          message: 'too old',
          reason: 'Invalid',
        },
      ],
    },
    {
      matchResources: {
        resourceRules: [
          {
            operations: ['CREATE', 'UPDATE'],
            apiGroups: ['apiextensions.k8s.io'],
            apiVersions: ['v1'],
            resources: ['customresourcedefinitions'],
          },
        ],
      },
    },
  )
  const CRDS = gvr('apiextensions.k8s.io', 'customresourcedefinitions')
  const crd = (group: string, annotations: Record<string, string>): KubeObject => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${group}`, annotations: { 'api-approved.kubernetes.io': 'x', ...annotations } },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind: 'Thing', plural: 'things' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  })
  const gateway = (version: string, channel: string) =>
    crd('gateway.networking.k8s.io', {
      'gateway.networking.k8s.io/bundle-version': version,
      'gateway.networking.k8s.io/channel': channel,
    })
  await client.create(CRDS, crd('example.com', {}))
  await t.throwsAsync(client.create(CRDS, gateway('v1.2.0', 'standard')), { message: /too old/ })
  await client.create(CRDS, gateway('v1.5.0', 'standard'))
  await t.throwsAsync(client.update(CRDS, gateway('v1.5.0', 'experimental')), { message: /no experimental/ })
  await client.update(CRDS, gateway('v1.5.1', 'standard'))
  t.pass()
})
