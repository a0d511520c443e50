import test from 'ava'
import * as fc from 'fast-check'
import type { ClusterObject } from '../src/cluster/cluster.types.ts'
import { checkGatewayApi, checkKubernetes, missingPermission } from '../src/precheck/checks.ts'
import { startTestMesh } from './support/test-mesh.ts'

const kubernetes = test.macro({
  exec(t, version: string | undefined, isOld: boolean) {
    t.deepEqual(
      checkKubernetes(version).map(({ code }) => code),
      isOld ? ['IST0142'] : [],
    )
  },
  title: (_, version: string | undefined) => `Kubernetes ${version}`,
})
test(kubernetes, 'v1.32.0', false)
test(kubernetes, 'v1.33.1-gke.5', false)
test(kubernetes, 'v2.0.0', false)
test(kubernetes, 'v1.31.9', true)
test(kubernetes, undefined, true)

function crd(kind: string, versions: readonly string[], bundle?: string): ClusterObject {
  return {
    metadata: {
      name: `${kind.toLowerCase()}s.gateway.networking.k8s.io`,
      annotations: bundle === undefined ? {} : { 'gateway.networking.k8s.io/bundle-version': bundle },
    },
    spec: {
      group: 'gateway.networking.k8s.io',
      names: { kind },
      versions: [...versions.map((name) => ({ name, served: true })), { name: 'v0', served: false }],
    },
  }
}

const gatewayApi = test.macro({
  exec(t, object: ClusterObject, expected: readonly string[]) {
    t.deepEqual(
      checkGatewayApi([object]).map(({ code, level }) => `${level} ${code}`),
      expected,
    )
  },
  title: (name) => `Gateway API: ${name ?? ''}`,
})
test('as of today', gatewayApi, crd('HTTPRoute', ['v1', 'v1beta1'], 'v1.6.0'), [])
test('without v1', gatewayApi, crd('Gateway', ['v1beta1']), ['Warning IST0172'])
test('without v1beta1', gatewayApi, crd('Gateway', ['v1alpha2']), ['Error IST0156', 'Warning IST0172'])
test('nothing served', gatewayApi, crd('ReferenceGrant', []), ['Error IST0156'])
test('a kind that is not watched yet', gatewayApi, crd('TLSRoute', ['v1'], 'v1.4.1'), ['Warning IST0176'])
test('a kind just new enough', gatewayApi, crd('TLSRoute', ['v1'], 'v1.5.0'), [])

test('a missing right says which resource', (t) => {
  t.is(
    missingPermission('clusterroles', 'no').message,
    'Missing required permission to create resource clusterroles (no)',
  )
  t.is(
    missingPermission('roles', '').message,
    'Missing required permission to create resource roles (permission denied)',
  )
})

test('whatever a CRD looks like, the check answers', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (spec) => t.notThrows(() => checkGatewayApi([{ metadata: { name: 'x' }, spec }]))),
  )
})

test('precheck of a cluster: nothing found, then an old kind, as text and as JSON', async (t) => {
  await using mesh = await startTestMesh()
  const fine = await mesh.ambit('x precheck')
  t.is(fine.code, 0, fine.err.join('\n'))
  t.regex(fine.err.join('\n'), /✔ No issues found when checking the cluster\. Istio is safe to install or upgrade!/)
  await mesh.must(
    'annotate',
    'crd',
    'tlsroutes.gateway.networking.k8s.io',
    '--overwrite',
    'gateway.networking.k8s.io/bundle-version=v1.2.0',
  )
  const old = await mesh.ambit('experimental precheck')
  t.is(old.code, 1)
  t.regex(
    old.out.join('\n'),
    /^Warning \[IST0176\] \(CustomResourceDefinition tlsroutes\.gateway\.networking\.k8s\.io\) Gateway API CRD "tlsroutes/,
  )
  const json = await mesh.ambit('x precheck -o json')
  t.like(JSON.parse(json.out.join('\n')), { 0: { code: 'IST0176', level: 'Warning' }, length: 1 })
  const threshold = await mesh.ambit('x precheck --output-threshold Error')
  t.is(threshold.out.join(''), '')
  t.is(threshold.code, 1)
})
