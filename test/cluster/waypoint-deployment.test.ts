// A Gateway of class istio-waypoint, applied with kubectl, becomes a running program; deleted, all of it goes.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { namespace } from './manifests.ts'

const LIMIT_MS = 30_000
const OWNED = 'deployment,service,serviceaccount,hpa,pdb'

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'waypoints', nodes: 1 })
  await cluster.apply(namespace('shop') + namespace('other'))
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

function gateway(name: string, more: { readonly class?: string; readonly infrastructure?: string } = {}): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: shop}
spec:
  gatewayClassName: ${more.class ?? 'istio-waypoint'}
  ${more.infrastructure === undefined ? '' : `infrastructure: ${more.infrastructure}`}
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---`
}

/** The reason of a Gateway's condition, with its status before it: `True Programmed`. */
async function says(name: string, type: string): Promise<string> {
  const path = `jsonpath={range .status.conditions[?(@.type=="${type}")]}{.status} {.reason}{end}`
  return await cluster.must('get', 'gtw', '-n', 'shop', name, '-o', path)
}

async function owned(name: string): Promise<string[]> {
  const label = `gateway.networking.k8s.io/gateway-name=${name}`
  const lines = await cluster.must('get', OWNED, '-n', 'shop', '-l', label, '-o', 'name')
  return lines.split('\n').filter(Boolean).toSorted()
}

test.serial('the classes are there and accepted', async (t) => {
  const columns = await eventually(
    () => cluster.must('get', 'gatewayclass'),
    (table) => (table.match(/ True /g) ?? []).length === 3,
    LIMIT_MS,
    'three classes are accepted',
  )
  t.regex(columns, /^istio-waypoint +istio\.io\/mesh-controller +True +\S+$/m)
})

test.serial('a Gateway becomes a running waypoint', async (t) => {
  await cluster.apply(gateway('waypoint'))
  await cluster.must('wait', 'gtw/waypoint', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s')
  t.is(await says('waypoint', 'Accepted'), 'True Accepted')
  t.regex(await cluster.must('get', 'pod', '-n', 'shop'), /^waypoint-\S+ +1\/1 +Running +0 /m)
  await cluster.must('delete', 'gtw', '-n', 'shop', 'waypoint')
  await eventually(
    () => owned('waypoint'),
    (names) => names.length === 0,
    LIMIT_MS,
    'everything goes with its Gateway',
  )
})

test.serial('the form of Istio 1.18: a waypoint for a service account', async (t) => {
  await cluster.apply(`
apiVersion: gateway.networking.k8s.io/v1beta1
kind: Gateway
metadata: {name: web, namespace: shop, annotations: {istio.io/for-service-account: web}}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---`)
  await cluster.must('wait', 'gtw/web', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s')
  t.true(
    (await cluster.must('get', 'gtw', '-n', 'shop', 'web', '-o', 'yaml')).includes(
      'Resource programmed, assigned to service(s) web-istio-waypoint.shop.svc.cluster.local:15008',
    ),
  )
  const pods = await cluster.must('get', 'pod', '-n', 'shop', '-l', 'istio.io/gateway-name=web', '-o', 'name')
  t.regex(pods, /^pod\/web-istio-waypoint-\S+\n$/)
  await cluster.must('delete', 'gtw', '-n', 'shop', 'web')
})

// Of the images only this one stands in: what is asked is the way to the pod, not the proxy.
const OVERLAY = `
apiVersion: v1
kind: ConfigMap
metadata: {name: wp-options, namespace: shop}
data:
  deployment: |
    metadata: {namespace: other, annotations: {example.com/team: shop}}
    spec:
      template:
        spec:
          terminationGracePeriodSeconds: 0
          containers:
            - name: istio-proxy
              image: ambit/peer
              args: ['--port', '15021']
              readinessProbe: {periodSeconds: 1}
  horizontalPodAutoscaler: |
    spec: {minReplicas: 1, maxReplicas: 3}
  podDisruptionBudget: |
    spec: {minAvailable: 1}
---`

test.serial('a Gateway becomes a running pod, an address and a status; deleted, all goes', async (t) => {
  await cluster.apply(
    OVERLAY + gateway('wp', { infrastructure: '{parametersRef: {group: "", kind: ConfigMap, name: wp-options}}' }),
  )
  await cluster.must('wait', 'gtw/wp', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s')
  t.is(await says('wp', 'Accepted'), 'True Accepted')
  const ip = await cluster.must('get', 'svc', '-n', 'shop', 'wp', '-o', 'jsonpath={.spec.clusterIP}')
  t.regex(
    await cluster.must('get', 'gtw', '-n', 'shop', 'wp'),
    new RegExp(`^wp +istio-waypoint +${ip} +True +\\S+$`, 'm'),
  )
  const addresses = await cluster.must('get', 'gtw', '-n', 'shop', 'wp', '-o', 'jsonpath={.status.addresses[*].value}')
  t.true(addresses.startsWith(ip) && addresses.endsWith(' wp.shop.svc.cluster.local'), addresses)
  t.deepEqual(await owned('wp'), [
    'deployment.apps/wp',
    'horizontalpodautoscaler.autoscaling/wp',
    'poddisruptionbudget.policy/wp',
    'service/wp',
    'serviceaccount/wp',
  ])
  t.regex(await cluster.must('get', 'hpa', '-n', 'shop'), /^wp +Deployment\/wp /m)
  t.regex(await cluster.must('get', 'pdb', '-n', 'shop'), /^wp +1 +N\/A /m)
  const team = 'jsonpath={.metadata.annotations.example\\.com/team}'
  t.is(await cluster.must('get', 'deploy', '-n', 'shop', 'wp', '-o', team), 'shop')
  t.is(await cluster.must('get', 'deploy', '-n', 'other', '-o', 'name'), '', 'an overlay moves nothing')

  const inside = await cluster.must(
    'exec',
    '-n',
    'shop',
    'deploy/wp',
    '--',
    '/bin/sh',
    '-c',
    'grep gateway-name /etc/istio/pod/labels; wc -c < /var/run/secrets/tokens/istio-token; head -1 /var/run/secrets/istio/root-cert.pem; touch /x || echo read-only; touch /etc/istio/proxy/x && echo $CA_ADDR $POD_NAMESPACE $TRUST_DOMAIN',
  )
  t.true(inside.includes('gateway.networking.k8s.io/gateway-name="wp"'), inside)
  t.true(inside.includes('BEGIN CERTIFICATE'), inside)
  t.true(inside.includes('read-only'), inside)
  t.true(inside.includes('istiod.istio-system.svc:15012 shop cluster.local'), inside)

  // Without its pods the waypoint keeps its address, or what is bound to it would be reached around it.
  await cluster.apply(`
apiVersion: v1
kind: ConfigMap
metadata: {name: wp-options, namespace: shop}
data:
  deployment: |
    spec: {replicas: 0}
---`)
  await cluster.must('wait', 'gtw/wp', '-n', 'shop', '--for=condition=Programmed=False', '--timeout=60s')
  t.is(await cluster.must('get', 'gtw', '-n', 'shop', 'wp', '-o', 'jsonpath={.status.addresses[*].value}'), addresses)
  await eventually(
    () => owned('wp'),
    (names) => names.length === 3,
    LIMIT_MS,
    'autoscaler and budget go with their overlays',
  )

  // What somebody changes or deletes comes back.
  await cluster.must('delete', 'svc', '-n', 'shop', 'wp')
  await cluster.must('wait', 'svc/wp', '-n', 'shop', '--for=create', '--timeout=30s')

  await cluster.must('delete', 'gtw', '-n', 'shop', 'wp')
  await eventually(
    () => owned('wp'),
    (names) => names.length === 0,
    LIMIT_MS,
    'everything goes with its Gateway',
  )
})

test.serial('what somebody else made is left alone', async (t) => {
  await cluster.apply(`
apiVersion: v1
kind: Service
metadata: {name: mine, namespace: shop}
spec: {selector: {app: mine}, ports: [{name: http, port: 80}]}
---`)
  await cluster.apply(gateway('mine'))
  await cluster.must('wait', 'deploy/mine', '-n', 'shop', '--for=create', '--timeout=30s')
  const service = await cluster.must(
    'get',
    'svc',
    '-n',
    'shop',
    'mine',
    '-o',
    'jsonpath={.spec.selector}{.spec.ports[*].port}',
  )
  t.is(service, '{"app":"mine"}80')
  await cluster.must('delete', 'gtw', '-n', 'shop', 'mine')
})

test.serial('what can not be served says so', async (t) => {
  await cluster.apply(
    gateway('remote', { class: 'istio-remote' }) +
      gateway('lost', { infrastructure: '{parametersRef: {group: "", kind: ConfigMap, name: nowhere}}' }),
  )
  const settles = (name: string, expected: string): Promise<string> =>
    eventually(
      () => says(name, 'Accepted'),
      (said) => said === expected,
      LIMIT_MS,
      `${name} says ${expected}`,
    )
  t.is(await settles('remote', 'False Invalid'), 'False Invalid')
  t.is(await settles('lost', 'False InvalidParameters'), 'False InvalidParameters')
  t.deepEqual([...(await owned('remote')), ...(await owned('lost'))], [])
})
