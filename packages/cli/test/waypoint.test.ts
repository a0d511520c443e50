import test, { type ExecutionContext } from 'ava'
import { startTestMesh, type TestMesh } from './support/test-mesh.ts'

// One API server a test: the commands list whole namespaces.
const withMesh = (body: (t: ExecutionContext, mesh: TestMesh) => Promise<void>) => async (t: ExecutionContext) => {
  await using mesh = await startTestMesh()
  await body(t, mesh)
}

const INGRESS = JSON.stringify({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'ingress' },
  spec: { gatewayClassName: 'istio', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
})

test(
  'apply writes the Gateway as istioctl does, under its field manager',
  withMesh(async (t, { ambit, must }) => {
    t.deepEqual(await ambit('waypoint apply'), { code: 0, out: ['✅ waypoint default/waypoint applied'], err: [] })
    const gateway: unknown = JSON.parse(await must('get', 'gateway', 'waypoint', '-o', 'json', '--show-managed-fields'))
    t.like(gateway, {
      spec: {
        gatewayClassName: 'istio-waypoint',
        listeners: { 0: { name: 'mesh', port: 15008, protocol: 'HBONE' }, length: 1 },
      },
      metadata: { managedFields: { 0: { manager: 'istioctl', operation: 'Apply' } } },
    })
    t.is(await must('get', 'gateway', 'waypoint', '-o', 'jsonpath={.metadata.labels}{.metadata.annotations}'), '')
  }),
)

test(
  'apply --for and --revision keep both labels',
  withMesh(async (t, { ambit, must }) => {
    t.is((await ambit('waypoint apply --name w --for all -r canary')).code, 0)
    t.deepEqual(JSON.parse(await must('get', 'gateway', 'w', '-o', 'jsonpath={.metadata.labels}')), {
      'istio.io/rev': 'canary',
      'istio.io/waypoint-for': 'all',
    })
  }),
)

test(
  'apply --enroll-namespace --wait: applied, ready once programmed, then the namespace’s label',
  withMesh(async (t, { ambit, must, program }) => {
    await must('create', 'ns', 'shop')
    await must('label', 'ns', 'shop', 'istio.io/dataplane-mode=ambient')
    let looks = 0
    const label = (): Promise<string> =>
      must('get', 'ns', 'shop', '-o', 'jsonpath={.metadata.labels.istio\\.io/use-waypoint}')
    const result = await ambit('waypoint apply -n shop --enroll-namespace --wait', async () => {
      looks++
      t.is(await label(), '')
      await program('shop', 'waypoint', looks < 2 ? 'False' : 'True', ['10.0.0.1'])
    })
    t.deepEqual(result, {
      code: 0,
      out: [
        '✅ waypoint shop/waypoint applied',
        '✅ waypoint shop/waypoint is ready!',
        '✅ namespace shop labeled with "istio.io/use-waypoint: waypoint"',
      ],
      err: [],
    })
    t.is(looks, 2)
    t.is(await label(), 'waypoint')
  }),
)

test(
  'apply --enroll-namespace of a namespace outside ambient warns and goes on; without an address it says that traffic goes direct',
  withMesh(async (t, { ambit, must }) => {
    const first = await ambit('waypoint apply --enroll-namespace')
    t.deepEqual(first.out, [
      '⚠️ Warning: namespace is not enrolled in ambient. Consider running\t`kubectl label namespace default istio.io/dataplane-mode=ambient`',
      '✅ waypoint default/waypoint applied',
      '✅ namespace default labeled with "istio.io/use-waypoint: waypoint"',
    ])
    t.deepEqual(first.err, [
      '! waypoint default/waypoint has no address yet: until it has one, traffic goes direct, past its policies; kubectl label namespace default ambit.dev/require-waypoint=true makes ztunnel refuse it instead',
    ])
    await must('label', 'ns', 'default', 'ambit.dev/require-waypoint=true', 'istio.io/dataplane-mode=ambient')
    const closed = await ambit('waypoint apply --enroll-namespace --overwrite')
    t.deepEqual(closed.err, [])
  }),
)

test(
  'apply --enroll-namespace does not replace a waypoint unless told to, and that is no failure',
  withMesh(async (t, { ambit, must }) => {
    await must('label', 'ns', 'default', 'istio.io/use-waypoint=other', 'istio.io/dataplane-mode=ambient')
    t.deepEqual(await ambit('waypoint apply --enroll-namespace'), {
      code: 0,
      out: [
        '⚠️ Warning: namespace (default) already has an enrolled Waypoint. Consider adding the `--overwrite` flag to your apply command.',
      ],
      err: [],
    })
    t.is(await must('get', 'gateways', '-o', 'name'), '')
    t.is((await ambit('waypoint apply --enroll-namespace --overwrite')).code, 0)
    t.is(await must('get', 'ns', 'default', '-o', 'jsonpath={.metadata.labels.istio\\.io/use-waypoint}'), 'waypoint')
  }),
)

test(
  'apply --wait gives up after 90 seconds, or after --waypoint-timeout, and says why',
  withMesh(async (t, { ambit, program }) => {
    let slept = 0
    const result = await ambit('waypoint apply --wait', async () => {
      if (slept++ === 0) await program('default', 'waypoint', 'False')
    })
    t.is(result.code, 1)
    t.is(slept, 90)
    t.deepEqual(result.out, ['✅ waypoint default/waypoint applied'])
    t.is(result.err[0], '  AddressNotAssigned: Failed to assign')
    t.is(result.err.at(-1), 'Error: timed out while waiting for waypoint\tdefault/waypoint')
    let again = 0
    t.is((await ambit('waypoint apply --wait --waypoint-timeout 3s', async () => void again++)).code, 1)
    t.is(again, 3)
  }),
)

test(
  'a waypoint that was programmed for an older Gateway is waited for again',
  withMesh(async (t, { ambit, must, program }) => {
    await ambit('waypoint apply')
    await program('default', 'waypoint', 'True')
    const status = JSON.parse(await must('get', 'gateway', 'waypoint', '-o', 'json')) as {
      metadata: { generation: number }
      status: { conditions: object[] }
    }
    const conditions = status.status.conditions.map((condition) => ({ ...condition, observedGeneration: 0 }))
    const patch = JSON.stringify({ status: { conditions } })
    await must('patch', 'gateway', 'waypoint', '--subresource', 'status', '--type', 'merge', '-p', patch)
    t.is((await ambit('waypoint status --waypoint-timeout 2s')).code, 1)
  }),
)

test('without Gateway API, apply says what is missing', async (t) => {
  await using mesh = await startTestMesh({ gatewayApi: false })
  const result = await mesh.ambit('waypoint apply')
  t.is(result.code, 1)
  t.regex(
    result.err.join('\n'),
    /^Error: missing Kubernetes Gateway CRDs need to be installed before applying a waypoint: /,
  )
})

const fails = test.macro({
  async exec(t, line: string, message: string, code: number) {
    await using mesh = await startTestMesh()
    const result = await mesh.ambit(line)
    t.deepEqual([result.code, result.out, result.err], [code, [], [message]])
    t.is(await mesh.must('get', 'gateways', '-A', '-o', 'name'), '')
  },
  title: (_, line: string) => `fails: ambit ${line}`,
})
test(fails, 'waypoint apply -n nowhere', 'Error: namespace: nowhere not found', 1)
test(
  fails,
  'waypoint apply --name none',
  "Error: failed to create gateway: invalid name provided for waypoint, 'none' is a reserved value",
  1,
)
test(
  fails,
  'waypoint apply --for everything',
  'Error: failed to create gateway: invalid traffic type: everything. Valid options are: [all none service workload]',
  1,
)
test(fails, 'waypoint delete --all x', 'Error: cannot specify waypoint names when deleting all waypoints', 1)
test(
  fails,
  'waypoint delete',
  'Error: must specify a waypoint name or delete all using --all or delete specific revision using --revision',
  1,
)
test(
  fails,
  'x waypoint apply -s a --for all --name b',
  "Error: --service-account chooses the waypoint's name and traffic itself; it does not go with --name, --for",
  2,
)

test(
  'list and status: columns, padding, order, other Gateways left out',
  withMesh(async (t, { ambit, must, program, api }) => {
    t.deepEqual((await ambit('waypoint list')).out, ['No waypoints found.'])
    t.deepEqual((await ambit('waypoint status')).out, ['No waypoints found.'])
    await api.kubectl(['apply', '-f', '-'], { input: INGRESS })
    t.deepEqual((await ambit('waypoint list')).out, ['NAME     REVISION     TRAFFIC TYPE     PROGRAMMED'])
    t.deepEqual((await ambit('waypoint status')).out, ['NAME     STATUS     TYPE     REASON     MESSAGE'])
    await must('create', 'ns', 'shop')
    await ambit('waypoint apply --for service -r canary')
    await ambit('waypoint apply -n shop --name reviews')
    await program('default', 'waypoint', 'True')
    await program('shop', 'reviews', 'False')
    t.deepEqual((await ambit('waypoint list')).out, [
      'NAME         REVISION     TRAFFIC TYPE     PROGRAMMED',
      'waypoint     canary       service          True',
    ])
    t.deepEqual((await ambit('waypoint list -A')).out, [
      'NAMESPACE     NAME         REVISION     TRAFFIC TYPE     PROGRAMMED',
      'default       waypoint     canary       service          True',
      'shop          reviews      default      none             False',
    ])
    t.deepEqual((await ambit('waypoint status')).out, [
      'NAME         STATUS     TYPE           REASON         MESSAGE',
      'waypoint     True       Programmed     Programmed     Resource programmed',
    ])
    t.deepEqual((await ambit('waypoint status -A --wait=false')).out, [
      'NAMESPACE     NAME         STATUS     TYPE           REASON                 MESSAGE',
      'default       waypoint     True       Programmed     Programmed             Resource programmed',
      'shop          reviews      False      Programmed     AddressNotAssigned     Failed to assign',
    ])
  }),
)

test(
  'status has a row for each look until the waypoint serves, and fails when it does not in time',
  withMesh(async (t, { ambit, program }) => {
    await ambit('waypoint apply')
    await program('default', 'waypoint', 'False')
    const served = await ambit('waypoint status', () => program('default', 'waypoint', 'True'))
    t.deepEqual([served.code, served.out.length], [0, 3])
    t.regex(served.out[1] ?? '', /^waypoint {5}False/)
    t.regex(served.out[2] ?? '', /^waypoint {5}True/)
    await program('default', 'waypoint', 'False')
    const late = await ambit('waypoint status --waypoint-timeout 2s')
    t.is(late.code, 1)
    t.is(late.out.length, 4)
    t.deepEqual(late.err, ['Error: timed out while retrieving status for waypoint\tdefault/waypoint'])
  }),
)

test(
  'delete takes waypoints by name, by revision or all of them, and never another Gateway',
  withMesh(async (t, { ambit, must, api }) => {
    await api.kubectl(['apply', '-f', '-'], { input: INGRESS })
    for (const name of ['a', 'b', 'c']) await ambit(`waypoint apply --name ${name}`)
    await ambit('waypoint apply --name d -r old')
    t.deepEqual(await ambit('waypoint delete a ingress nothing'), {
      code: 0,
      out: ['waypoint default/a deleted', 'waypoint default/ingress not found', 'waypoint default/nothing not found'],
      err: [],
    })
    t.deepEqual((await ambit('waypoint delete -r old')).out, ['waypoint default/d deleted'])
    t.deepEqual((await ambit('waypoint delete --all')).out, [
      'waypoint default/b deleted',
      'waypoint default/c deleted',
    ])
    t.is(await must('get', 'gateways', '-o', 'name'), 'gateway.gateway.networking.k8s.io/ingress\n')
  }),
)

test(
  'delete of the waypoint a namespace uses says what its traffic does now',
  withMesh(async (t, { ambit, must }) => {
    await must('label', 'ns', 'default', 'istio.io/dataplane-mode=ambient')
    await ambit('waypoint apply --enroll-namespace')
    const direct = await ambit('waypoint delete waypoint')
    t.deepEqual(direct.out, ['waypoint default/waypoint deleted'])
    t.regex(direct.err.join(), /^! namespace default still uses waypoint waypoint: its traffic goes direct now/)
    await ambit('waypoint apply')
    await must('label', 'ns', 'default', 'ambit.dev/require-waypoint=true')
    const refused = await ambit('waypoint delete --all')
    t.regex(refused.err.join(), /its traffic is refused until there is one$/)
  }),
)

test(
  'the form of Istio 1.18: Gateway, texts, columns',
  withMesh(async (t, { ambit, must, program }) => {
    t.deepEqual(await ambit('x waypoint apply --service-account bookinfo-productpage'), {
      code: 0,
      out: ['waypoint default/bookinfo-productpage applied'],
      err: [],
    })
    t.deepEqual((await ambit('x waypoint apply --service-account=')).out, ['waypoint default/namespace applied'])
    t.is(
      await must(
        'get',
        'gateways',
        '-o',
        'jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations}{"\\n"}{end}',
      ),
      'bookinfo-productpage {"istio.io/for-service-account":"bookinfo-productpage"}\nnamespace \n',
    )
    await program('default', 'bookinfo-productpage', 'True')
    t.deepEqual((await ambit('x waypoint list')).out, [
      'NAME                     SERVICE ACCOUNT          REVISION     PROGRAMMED',
      'bookinfo-productpage     bookinfo-productpage     default      True',
      'namespace                                         default      Unknown',
    ])
    t.deepEqual((await ambit('x waypoint list -A')).out[0]?.split(/ {2,}/), [
      'NAMESPACE',
      'NAME',
      'SERVICE ACCOUNT',
      'REVISION',
      'PROGRAMMED',
    ])
    t.deepEqual(
      (await ambit('waypoint list')).out[0],
      'NAME                     REVISION     TRAFFIC TYPE     PROGRAMMED',
    )
    t.deepEqual((await ambit('x waypoint delete --service-account bookinfo-productpage')).out, [
      'waypoint default/bookinfo-productpage deleted',
    ])
    t.deepEqual(await ambit('x waypoint delete --service-account bookinfo-productpage'), {
      code: 0,
      out: ['waypoint default/bookinfo-productpage not found'],
      err: [],
    })
    t.deepEqual((await ambit('x waypoint delete -s=')).out, ['waypoint default/namespace deleted'])
  }),
)

test(
  'generate prints YAML that kubectl applies, with a namespace only when one is given',
  withMesh(async (t, { ambit, api }) => {
    const plain = await ambit('waypoint generate')
    t.deepEqual(plain.out, [
      'apiVersion: gateway.networking.k8s.io/v1',
      'kind: Gateway',
      'metadata:',
      '  name: waypoint',
      'spec:',
      '  gatewayClassName: istio-waypoint',
      '  listeners:',
      '  - name: mesh',
      '    port: 15008',
      '    protocol: HBONE',
    ])
    const old = await ambit('x waypoint generate -s sa -r canary -n default')
    t.deepEqual(old.out.slice(0, 8), [
      'apiVersion: gateway.networking.k8s.io/v1beta1',
      'kind: Gateway',
      'metadata:',
      '  annotations:',
      '    istio.io/for-service-account: sa',
      '  labels:',
      '    istio.io/rev: canary',
      '  name: sa',
    ])
    for (const { out } of [plain, old]) {
      t.like(await api.kubectl(['apply', '-f', '-'], { input: out.join('\n') }), { code: 0 })
    }
  }),
)
