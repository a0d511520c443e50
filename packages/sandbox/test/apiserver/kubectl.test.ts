import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startApi, type TestApi } from './harness.ts'
import { installedKubectls } from './installed-kubectl.ts'

// One server a test: each has a home of its own and leaves nothing.
const withApi = (body: (t: ExecutionContext, api: TestApi) => Promise<void>) => async (t: ExecutionContext) => {
  await using api = await startApi()
  await body(t, api)
}

const PODS = { group: '', version: 'v1', resource: 'pods' }

const manifest = (image: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "${image}", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`

async function createRunningPod(api: TestApi): Promise<void> {
  const { client } = api.api
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', labels: { app: 'p' } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  }
  await client.create(PODS, pod)
  await client.patch(PODS, 'default', 'p', { spec: { nodeName: 'n1' } })
  const containerStatuses = [
    { name: 'c', image: 'i', imageID: '', ready: true, restartCount: 0, state: { running: {} } },
  ]
  const conditions = [{ type: 'Ready', status: 'True' }]
  await client.patch(
    PODS,
    'default',
    'p',
    { status: { phase: 'Running', podIP: '10.1.0.9', containerStatuses, conditions } },
    { subresource: 'status' },
  )
}

test(
  'kubectl creates by protobuf what it then shows',
  withApi(async (t, { kubectl }) => {
    for (const args of [
      ['create', 'ns', 'demo'],
      ['create', 'sa', 'bob', '-n', 'demo'],
      ['create', 'configmap', 'cm', '--from-literal=a=b'],
      ['create', 'secret', 'generic', 's', '--from-literal=a=b'],
      ['create', 'deployment', 'd', '--image=curlimages/curl', '--replicas=2', '--port=80', '--', 'sleep', '9'],
      ['create', 'role', 'r', '--verb=get', '--resource=pods'],
      ['create', 'rolebinding', 'rb', '--role=r', '--serviceaccount=demo:bob'],
    ]) {
      const { code, stderr } = await kubectl(args)
      t.is(code, 0, `${args.join(' ')}: ${stderr}`)
    }
    const wide = await kubectl(['get', 'deploy,cm,secret,rolebinding', '-o', 'wide'])
    t.regex(wide.stdout, /deployment.apps\/d +0\/2 .*curlimages\/curl +app=d/)
    t.regex(wide.stdout, /secret\/s +Opaque +1/)
    t.regex(wide.stdout, /rolebinding.rbac.authorization.k8s.io\/rb +Role\/r .*demo\/bob/)
    const command = await kubectl(['get', 'deploy', 'd', '-o', 'jsonpath={.spec.template.spec.containers[0].command}'])
    t.is(command.stdout, '["sleep","9"]')
  }),
)

test(
  'apply configures, server-side apply conflicts until forced and is idempotent',
  withApi(async (t, { kubectl }) => {
    const apply = (image: string, ...args: string[]) =>
      kubectl(['apply', ...args, '-f', '-'], { input: manifest(image) })
    t.regex((await apply('x:1')).stdout, /deployment.apps\/web created/)
    t.regex((await apply('x:2')).stdout, /deployment.apps\/web configured\nservice\/web unchanged/)
    const conflict = await apply('x:3', '--server-side')
    t.is(conflict.code, 1)
    t.regex(
      conflict.stderr,
      /conflict with "kubectl-client-side-apply" using apps\/v1: \.spec\.template\.spec\.containers\[name="c"\]\.image/,
    )
    t.is((await apply('x:3', '--server-side', '--force-conflicts')).code, 0)
    const version = () => kubectl(['get', 'deploy', 'web', '-o', 'jsonpath={.metadata.resourceVersion}'])
    const before = await version()
    t.is((await apply('x:3', '--server-side')).code, 0)
    t.is((await version()).stdout, before.stdout, 'an apply that changes nothing writes nothing')
  }),
)

test(
  'label, annotate, scale, describe and wait',
  withApi(async (t, api) => {
    const { kubectl } = api
    await createRunningPod(api)
    t.regex((await kubectl(['label', 'ns', 'default', 'istio.io/dataplane-mode=ambient'])).stdout, /labeled/)
    t.regex((await kubectl(['annotate', 'pod', 'p', 'a=b'])).stdout, /annotated/)
    t.regex((await kubectl(['wait', '--for=condition=Ready', 'pod/p', '--timeout=10s'])).stdout, /condition met/)
    t.regex((await kubectl(['get', 'pods', '-o', 'wide'])).stdout, /p +1\/1 +Running +0 .* 10\.1\.0\.9 +n1/)
    const described = await kubectl(['describe', 'pod', 'p'])
    t.regex(described.stdout, /kube-api-access-\w{5} \(ro\)/)
    await kubectl(['apply', '-f', '-'], { input: manifest('x:1') })
    t.regex((await kubectl(['scale', 'deploy', 'web', '--replicas=5'])).stdout, /scaled/)
    t.regex((await kubectl(['get', 'deploy', 'web'])).stdout, /0\/5/)
  }),
)

test(
  'deleting a namespace deletes its content',
  withApi(async (t, { kubectl }) => {
    await kubectl(['create', 'ns', 'demo'])
    await kubectl(['create', 'configmap', 'cm', '-n', 'demo', '--from-literal=a=b'])
    t.is((await kubectl(['delete', 'ns', 'demo'])).code, 0)
    t.regex((await kubectl(['get', 'cm', 'cm', '-n', 'demo'])).stderr, /NotFound/)
  }),
)

test(
  'what is not served is refused clearly',
  withApi(async (t, { kubectl, fetchJson }) => {
    t.regex(
      (await kubectl(['get', 'certificatesigningrequests'])).stderr,
      /doesn't have a resource type "certificatesigningrequests"/,
    )
    const { status, body } = await fetchJson('/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas')
    t.is(status, 404)
    t.like(body, { kind: 'Status', reason: 'NotFound' })
  }),
)

for (const binary of installedKubectls())
  test(
    `${basename(binary)}: auth whoami tells user and groups, or that its version is not served`,
    withApi(async (t, { kubectl }) => {
      const { stdout, stderr } = await kubectl(['auth', 'whoami'], { binary })
      t.regex(
        stdout + stderr,
        /Username +kubernetes-admin\nGroups +\[system:masters system:authenticated\]|the selfsubjectreviews API is not enabled/,
      )
    }),
  )

test(
  'logs and exec with standard input and exit codes',
  withApi(async (t, api) => {
    const { kubectl } = api
    await createRunningPod(api)
    t.is((await kubectl(['logs', 'p', '--tail=2'])).stdout, 'two\nthree\n')
    const failed = await kubectl(['exec', 'p', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'])
    t.is(failed.code, 3)
    t.is(failed.stdout, 'out\n')
    t.regex(failed.stderr, /^err\n/)
    const input = 'line\n'.repeat(50_000)
    t.is((await kubectl(['exec', '-i', 'p', '--', 'cat'], { input })).stdout, input)
    t.regex((await kubectl(['exec', 'gone', '--', 'true'])).stderr, /pods "gone" not found/)
  }),
)

test(
  'logs -f shows what is there and goes on until its reader leaves',
  withApi(async (t, api) => {
    await createRunningPod(api)
    const env = await api.environment()
    const child = spawn('kubectl', ['logs', '-f', 'p'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const [first] = (await once(child.stdout, 'data')) as [Buffer]
    t.regex(first.toString(), /^one\n/)
    child.kill()
    await once(child, 'close')
    t.not(child.exitCode, 0, 'following does not end by itself')
  }),
)

// kubectl before 1.30 speaks SPDY.
const OLD = '/usr/lib/google-cloud-sdk/bin/kubectl.1.28'
const old = existsSync(OLD) ? test : test.skip
old(
  'kubectl 1.28 executes over SPDY',
  withApi(async (t, api) => {
    await createRunningPod(api)
    t.is((await api.kubectl(['exec', '-i', 'p', '--', 'cat'], { input: 'text\n', binary: OLD })).stdout, 'text\n')
    t.is((await api.kubectl(['exec', 'p', '--', 'sh', '-c', 'exit 4'], { binary: OLD })).code, 4)
  }),
)

async function forwards(t: ExecutionContext, api: TestApi, binary: string): Promise<void> {
  await createRunningPod(api)
  const server = createServer((request, response) => request.pipe(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const env = await api.environment()
  const child = spawn(binary, ['port-forward', 'pod/p', `:${port}`], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const local = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      const found = /127\.0\.0\.1:(\d+) ->/.exec(data.toString())?.[1]
      if (found !== undefined) resolve(found)
    })
    child.on('exit', () => reject(new Error('kubectl port-forward ended')))
  })
  const body = Buffer.alloc(300_000, 'x')
  const answers = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const answer = await fetch(`http://127.0.0.1:${local}/`, {
        method: 'POST',
        body,
        headers: { connection: 'close' },
      })
      return (await answer.arrayBuffer()).byteLength
    }),
  )
  t.deepEqual(
    answers,
    Array.from({ length: 8 }, () => body.length),
  )
  const gone = new Promise((resolve) => child.once('close', resolve))
  child.kill()
  await gone
  server.closeAllConnections()
  server.close()
}

test(
  'port-forward by SPDY in a WebSocket',
  withApi((t, api) => forwards(t, api, 'kubectl')),
)
old(
  'port-forward by SPDY',
  withApi((t, api) => forwards(t, api, OLD)),
)

test(
  'get -w shows changes as they happen',
  withApi(async (t, api) => {
    const env = await api.environment()
    const child = spawn('kubectl', ['get', 'cm', '-w', '--field-selector=metadata.name=seen'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    const shown = (pattern: RegExp) =>
      new Promise<void>((resolve) => {
        const check = (): void => {
          if (pattern.test(text)) resolve()
        }
        child.stdout.on('data', check)
        check()
      })
    child.stdout.on('data', (data: Buffer) => {
      text += data.toString()
    })
    const CM = { group: '', version: 'v1', resource: 'configmaps' }
    await api.api.client.create(CM, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'seen', namespace: 'default' },
      data: { a: '1' },
    })
    await shown(/seen +1/)
    await api.api.client.patch(CM, 'default', 'seen', { data: { b: '2' } })
    await shown(/seen +2/)
    const gone = new Promise((resolve) => child.once('close', resolve))
    child.kill()
    await gone
    t.pass()
  }),
)

test(
  'custom resources are validated, defaulted and printed',
  withApi(async (t, { kubectl }) => {
    const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: foos.e.x}
spec:
  group: e.x
  scope: Namespaced
  names: {plural: foos, kind: Foo, shortNames: [fo]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, required: [size], x-kubernetes-validations: [{rule: "self.size < 9 || self.mode == 'B'", message: only B may be large}], properties: {size: {type: integer, minimum: 1}, mode: {type: string, enum: [A, B], default: A}}}}}}
`
    const foo = (spec: string): string => `apiVersion: e.x/v1\nkind: Foo\nmetadata: {name: f}\nspec: ${spec}\n`
    t.is((await kubectl(['apply', '-f', '-'], { input: crd })).code, 0)
    t.is((await kubectl(['wait', '--for=condition=Established', 'crd/foos.e.x', '--timeout=10s'])).code, 0)
    t.is((await kubectl(['apply', '-f', '-'], { input: foo('{size: 2}') })).code, 0)
    const refused = await kubectl(['apply', '-f', '-'], { input: foo('{size: 0, mode: C}') })
    t.regex(refused.stderr, /spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1/)
    t.regex(refused.stderr, /spec.mode: Unsupported value: "C": supported values: "A", "B"/)
    t.regex(
      (await kubectl(['apply', '-f', '-'], { input: foo('{size: 2, bogus: 1}') })).stderr,
      /unknown field "spec.bogus"/,
    )
    t.regex(
      (await kubectl(['apply', '-f', '-'], { input: foo('{size: 10}') })).stderr,
      /spec: Invalid value: .*only B may be large/,
    )
    t.is((await kubectl(['apply', '-f', '-', '--dry-run=server'], { input: foo('{size: 10, mode: B}') })).code, 0)
    t.regex((await kubectl(['get', 'fo'])).stdout, /NAME +SIZE\nf +2/)
    t.is((await kubectl(['get', 'fo', 'f', '-o', 'jsonpath={.spec.mode}'])).stdout, 'A')
    t.is((await kubectl(['delete', 'crd', 'foos.e.x'])).code, 0)
  }),
)
