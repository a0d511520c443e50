import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { fromPlain, type ManifestObject, toPlain, type ValueMap } from '@ambit/chart'
import test from 'ava'
import * as fc from 'fast-check'
import { renderMesh } from '../src/install/render-mesh.ts'
import { applySetting, parseSetting } from '../src/install/set-path.ts'
import { readSettings } from '../src/install/settings.ts'

const DEPLOY = fileURLToPath(new URL('../../../deploy', import.meta.url))

function files(more: Readonly<Record<string, string>> = {}): Parameters<typeof renderMesh>[2] {
  return {
    readFile: (path) => (more[path] === undefined ? readFile(path, 'utf8') : Promise.resolve(more[path])),
    listFolder: (path) => readdir(path),
  }
}

async function objects(
  set: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<ReadonlyMap<string, ManifestObject>> {
  const settings = await readSettings({ files: Object.keys(more), set }, DEPLOY, files(more))
  const target = { folder: DEPLOY, kubeVersion: 'v1.33.0', force: false }
  const components = await renderMesh(settings, target, files(more))
  return new Map(
    components.flatMap(({ objects: all }) => all).map((object) => [`${object.kind}/${object.metadata.name}`, object]),
  )
}

const sets = test.macro({
  exec(t, settings: readonly string[], expected: unknown) {
    const tree: ValueMap = new Map()
    for (const text of settings) applySetting(tree, parseSetting(text))
    t.deepEqual(toPlain(tree), expected)
  },
  title: (_, settings: readonly string[]) => `--set ${settings.join(' ')}`,
})
test(sets, ['a.b.c=1'], { a: { b: { c: 1 } } })
test(sets, ['a.b=1', 'a.b.c=2'], { a: { b: { c: 2 } } })
test(sets, ['a=b=c==d'], { a: 'b=c==d' })
test(sets, ['tag=1.30', 'values.global.tag=1.20', 'values.pilot.tag=5'], {
  tag: '1.30',
  values: { global: { tag: '1.20' }, pilot: { tag: '5' } },
})
test(sets, ['x=true', 'y=false', 'z=null', 'n=1.5', 'q="true"', 'e='], {
  x: true,
  y: false,
  z: null,
  n: 1.5,
  q: 'true',
  e: '',
})
test(sets, ['l={a,2,true}', 'm={}'], { l: ['a', 2, true], m: [] })
test(sets, ['a[0].n=x', 'a[0].m=y', 'a[1].n=z'], { a: [{ n: 'x', m: 'y' }, { n: 'z' }] })
test(sets, ['a.[0].n=x'], { a: [{ n: 'x' }] })
test(sets, ['a[0][1]=x'].slice(1), {})
test(sets, ['a.b\\.c/d=1'], { a: { 'b.c/d': 1 } })
test(sets, ['__proto__.x=1'], JSON.parse('{"__proto__":{"x":1}}'))

const refuses = test.macro({
  async exec(t, set: readonly string[], expected: RegExp) {
    await t.throwsAsync(objects(set), { code: 'CLI_SETTING', message: expected })
  },
  title: (_, set: readonly string[]) => `refused: --set ${set.join(' ')}`,
})
test(refuses, ['nonsense'], /needs path=value/)
test(refuses, ['=x'], /needs path=value/)
test(refuses, ['a[=x'], /no path such as/)
test(refuses, ['profil=ambient'], /unknown setting "profil"; did you mean "profile"\?/)
test(refuses, ['profile=ambiant'], /no profile "ambiant"; did you mean "ambient"\?/)
test(refuses, ['profile=preview'], /not available/)
test(refuses, ['components.ztunel.enabled=true'], /unknown component "ztunel"; did you mean "ztunnel"\?/)
test(refuses, ['components.cni.enabled=yes'], /either true or false/)
test(refuses, ['components.ingressGateways.enabled=true'], /is a list/)
test(refuses, ['components.ingressGateways[5].enabled=true'], /the next is \[0\]/)
test(refuses, ['values.pilot.autoscaleEnable=false'], /did you mean "autoscaleEnabled"\?/)
test(refuses, ['values.sidecarInjectorWebhook.rewriteAppHTTPProbe=true'], /values\.sidecarInjectorWebhook is unknown/)
test(refuses, ['values.pilot.resources=1'], /has members/)
test(refuses, ['values.global.logAsJson=maybe'], /values\.global\.logAsJson is either true or false, not "maybe"/)
test(refuses, ['values.pilot.replicaCount=many'], /values\.pilot\.replicaCount is a number, not "many"/)
test(
  refuses,
  ['meshConfig.acessLogFile=/dev/stdout'],
  /meshConfig\.acessLogFile is unknown; did you mean "accessLogFile"\?/,
)
test(refuses, ['values.meshConfig.trustDoman=a'], /did you mean "trustDomain"\?/)
test(refuses, ['meshConfig.trustDomain=Bad/dom'], /meshConfig\.trustDomain can't be "Bad\/dom"/)
test(refuses, ['revision=canary'], /revision "canary" is not available/)
test(refuses, ['components.pilot.k8s.overlays[0].kind=Deployment'], /k8s\.overlays is not available/)

test('settings change what they name: values, components, mesh config, images', async (t) => {
  const made = await objects([
    'values.pilot.autoscaleEnabled=false',
    'values.pilot.replicaCount=2',
    'values.global.logAsJson=true',
    'values.cni.excludeNamespaces={kube-system,other}',
    'values.ztunnel.logLevel=debug',
    'meshConfig.accessLogFile=/dev/stdout',
    'components.pilot.k8s.env[0].name=X',
    'components.pilot.k8s.env[0].value=1',
    'components.pilot.tag=1.5',
  ])
  t.like(made.get('Deployment/istiod'), { spec: { replicas: 2 } })
  t.true(made.has('PodDisruptionBudget/istiod'))
  t.false(made.has('HorizontalPodAutoscaler/istiod'))
  const istiod = JSON.stringify(made.get('Deployment/istiod'))
  t.true(
    istiod.includes('--log_as_json') &&
      istiod.includes('{"name":"X","value":"1"}') &&
      istiod.includes('controller:1.5'),
  )
  const ztunnel = JSON.stringify(made.get('DaemonSet/ztunnel'))
  t.true(
    ztunnel.includes('{"name":"LOG_FORMAT","value":"json"}') && ztunnel.includes('{"name":"RUST_LOG","value":"debug"}'),
  )
  t.like(made.get('ConfigMap/istio-cni-config'), { data: { EXCLUDE_NAMESPACES: 'kube-system,other' } })
  const mesh = (made.get('ConfigMap/istio') as unknown as { data: { mesh: string } }).data.mesh
  t.regex(mesh, /^accessLogFile: \/dev\/stdout$/m)
  t.regex(mesh, /ISTIO_META_ENABLE_HBONE: "true"/)
})

test('the gateway of Istio 1.18’s ambient flow has the names of its documents', async (t) => {
  const made = await objects([
    'profile=ambient',
    'components.ingressGateways[0].enabled=true',
    'components.ingressGateways[0].name=istio-ingressgateway',
  ])
  t.like(made.get('Deployment/istio-ingressgateway'), {
    spec: {
      selector: { matchLabels: { app: 'istio-ingressgateway', istio: 'ingressgateway' } },
      template: { spec: { serviceAccountName: 'istio-ingressgateway-service-account' } },
    },
  })
  t.true(made.has('ServiceAccount/istio-ingressgateway-service-account'))
  const { spec } = made.get('Service/istio-ingressgateway') as unknown as { spec: { type: string; ports: object[] } }
  t.is(spec.type, 'LoadBalancer')
  t.deepEqual(spec.ports, [
    { name: 'status-port', port: 15021, protocol: 'TCP', targetPort: 15021 },
    { name: 'http2', port: 80, protocol: 'TCP', targetPort: 8080 },
    { name: 'https', port: 443, protocol: 'TCP', targetPort: 8443 },
  ])
})

test('a gateway asked for by a value, with the value names of Istio’s older chart', async (t) => {
  const gateway = 'values.gateways.istio-ingressgateway'
  const made = await objects([
    `${gateway}.enabled=true`,
    `${gateway}.type=NodePort`,
    `${gateway}.autoscaleEnabled=false`,
  ])
  t.like(made.get('Service/istio-ingressgateway'), { spec: { type: 'NodePort' } })
  t.like(made.get('Deployment/istio-ingressgateway'), { spec: { replicas: 1 } })
  t.false(made.has('HorizontalPodAutoscaler/istio-ingressgateway'))
})

const PROFILES = [
  ['ambient', 'DaemonSet/ztunnel', 'Deployment/istio-ingressgateway'],
  ['openshift-ambient', 'DaemonSet/istio-cni-node', 'Deployment/istio-ingressgateway'],
  ['default', 'Deployment/istio-ingressgateway', 'DaemonSet/ztunnel'],
  ['demo', 'Deployment/istio-egressgateway', 'DaemonSet/ztunnel'],
  ['minimal', 'Deployment/istiod', 'Deployment/istio-ingressgateway'],
] as const
for (const [profile, there, absent] of PROFILES) {
  test(`profile ${profile} has ${there} and not ${absent}`, async (t) => {
    const made = await objects([`profile=${profile}`])
    t.true(made.has(there))
    t.false(made.has(absent))
    const settings = await readSettings({ files: [], set: [`profile=${profile}`] }, DEPLOY, files())
    t.is(settings.notes.length, profile.endsWith('ambient') ? 0 : 1)
  })
}
test('profile empty has nothing', async (t) => t.is((await objects(['profile=empty'])).size, 0))

const PLATFORMS = [
  ['k3s', '/var/lib/rancher/k3s/data/cni', '/var/lib/rancher/k3s/agent/etc/cni/net.d', '/var/run/netns'],
  ['k3d', '/bin', '/var/lib/rancher/k3s/agent/etc/cni/net.d', '/var/run/netns'],
  [
    'microk8s',
    '/var/snap/microk8s/current/opt/cni/bin',
    '/var/snap/microk8s/current/args/cni-network',
    '/var/run/netns',
  ],
  ['minikube', '/opt/cni/bin', '/etc/cni/net.d', '/var/run/docker/netns'],
  ['gke', '/home/kubernetes/bin', '/etc/cni/net.d', '/var/run/netns'],
  ['openshift', '/var/lib/cni/bin', '/etc/cni/multus/net.d', '/var/run/netns'],
] as const
for (const [platform, ...folders] of PLATFORMS) {
  test(`platform ${platform} has its folders of CNI`, async (t) => {
    const made = await objects([`values.global.platform=${platform}`])
    const { spec } = made.get('DaemonSet/istio-cni-node') as unknown as {
      spec: { template: { spec: { volumes: { name: string; hostPath: { path: string } }[] } } }
    }
    const path = (name: string): string | undefined =>
      spec.template.spec.volumes.find((volume) => volume.name === name)?.hostPath.path
    t.deepEqual([path('cni-bin-dir'), path('cni-net-dir'), path('cni-netns-dir')], folders)
  })
}

test('an IstioOperator file is below --set, and later files win', async (t) => {
  const operator = (spec: string): string =>
    `apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: ${spec}\n`
  const made = await objects(['values.ztunnel.logLevel=trace'], {
    'one.yaml': operator('{ hub: one, tag: a, values: { ztunnel: { logLevel: debug, env: { A: "1" } } } }'),
    'two.yaml': operator('{ hub: two, components: { cni: { enabled: false } } }'),
  })
  const ztunnel = JSON.stringify(made.get('DaemonSet/ztunnel'))
  t.true(ztunnel.includes('"two/ztunnel:a"') && ztunnel.includes('{"name":"RUST_LOG","value":"trace"}'))
  t.true(ztunnel.includes('{"name":"A","value":"1"}'))
  t.false(made.has('DaemonSet/istio-cni-node'))
  await t.throwsAsync(objects([], { 'x.yaml': 'kind: Pod\n' }), { message: /has to be an IstioOperator/ })
  await t.throwsAsync(objects([], { 'x.yaml': 'a: [' }), { code: 'CLI_SETTING', message: /x\.yaml can't be read/ })
})

test('no setting makes the reader throw anything but a refusal', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', '.', '[', ']', '0', '=', '\\', '{', '}', ',', '"') })),
      (texts) => {
        const tree = fromPlain({}) as ValueMap
        for (const text of texts) {
          try {
            applySetting(tree, parseSetting(text))
          } catch (error) {
            t.is((error as { code?: string }).code, 'CLI_SETTING', text)
          }
        }
      },
    ),
    { numRuns: 2_000 },
  )
})
