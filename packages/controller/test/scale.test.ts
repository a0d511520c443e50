// How much is compiled again after one change, in a mesh large enough to tell a little from everything.
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const NAMESPACES = 20
const PODS_PER_NAMESPACE = 100
const APPS = 4

function large(): Mesh {
  const objects: KubeObject[] = []
  for (let n = 0; n < NAMESPACES; n++) {
    objects.push(make.namespace(`n${n}`), make.node(`node-${n}`))
    for (let a = 0; a < APPS; a++)
      objects.push(make.service(`n${n}/s${a}`, { clusterIP: `10.96.${n}.${a}`, selector: { app: `a${a}` } }))
    for (let p = 0; p < PODS_PER_NAMESPACE; p++) objects.push(podOf(n, p))
  }
  return Mesh.of(...objects)
}

function podOf(n: number, p: number, ready = true): KubeObject {
  const fields = { ip: `10.0.${n}.${p}`, ready, spec: { nodeName: `node-${p % NAMESPACES}` } }
  return make.pod(`n${n}/p${p}`, fields, { labels: { app: `a${p % APPS}` } })
}

const mesh = large()
const PER_APP = PODS_PER_NAMESPACE / APPS

const compiles = test.macro((t, object: KubeObject, units: number) => {
  mesh.put(object, true)
  t.is(mesh.index.flush(), units)
})

test.serial('a pod gets ready: the pod', compiles, podOf(3, 7, false), 1)
test.serial(
  'a service changes its selector: the service, and pods of both selections',
  compiles,
  make.service('n3/s0', { clusterIP: '10.96.3.0', selector: { app: 'a1' } }),
  1 + 2 * PER_APP,
)
test.serial(
  'a policy with a selector: the policy and the pods selected',
  compiles,
  make.policy('n3/some', { selector: { matchLabels: { app: 'a2' } }, rules: [{}] }),
  1 + PER_APP,
)
test.serial('a policy for a namespace: the policy', compiles, make.policy('n3/all', { rules: [{}] }), 1)
test.serial('a policy for the mesh: the policy', compiles, make.policy('istio-system/all', { rules: [{}] }), 1)
test.serial(
  'a label of a namespace: what is in it',
  compiles,
  make.namespace('n3', { labels: { 'istio.io/use-waypoint': 'wp' } }),
  PODS_PER_NAMESPACE + APPS,
)
test.serial(
  'a waypoint becomes ready: its settings, and who asked for it',
  compiles,
  make.gateway('n3/wp'),
  1 + PODS_PER_NAMESPACE + APPS,
)
test.serial(
  'a node that moves to another zone: the pods on it',
  compiles,
  make.node('node-5', {
    labels: { 'topology.kubernetes.io/zone': 'z' },
  }),
  NAMESPACES * (PODS_PER_NAMESPACE / NAMESPACES),
)
test.serial(
  'a PeerAuthentication of a namespace: its pods',
  compiles,
  make.peerAuthentication('n4/default', {
    mtls: { mode: 'STRICT' },
  }),
  PODS_PER_NAMESPACE + 2,
)
