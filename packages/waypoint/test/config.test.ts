import test from 'ava'
import { ConfigError, readConfig } from '../src/index.ts'
import { nodeMessage } from '../src/node-message.ts'

const ENV = {
  POD_NAME: 'waypoint-abc',
  POD_NAMESPACE: 'shop',
  SERVICE_ACCOUNT: 'waypoint',
  INSTANCE_IP: '10.0.0.9',
  CA_ADDR: 'istiod.istio-system.svc:15012',
  TRUST_DOMAIN: 'cluster.local',
  ISTIO_META_CLUSTER_ID: 'Kubernetes',
  ISTIO_META_NETWORK: 'net-1',
  PROXY_CONFIG: '{"proxyMetadata":{"ISTIO_META_X":"y"}}',
}
const ARGS =
  'proxy waypoint --domain shop.svc.cluster.local --serviceCluster waypoint.shop --proxyLogLevel warning --log_output_level default:debug'.split(
    ' ',
  )
const LABELS = 'app="x"\ngateway.networking.k8s.io/gateway-name="my-waypoint"\n'

test('reads what the generated Deployment gives', (t) => {
  const config = readConfig({
    env: ENV,
    args: ARGS,
    exists: (path) => path.startsWith('/var/run/secrets/tokens'),
    podLabels: LABELS,
  })
  t.like(config, {
    gateway: 'my-waypoint',
    namespace: 'shop',
    identity: { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'waypoint' },
    controlPlane: 'https://istiod.istio-system.svc:15012',
    network: 'net-1',
    token: { file: '/var/run/secrets/tokens/istio-token' },
    root: { file: '/var/run/secrets/istio/root-cert.pem' },
    ports: { hbone: 15008, admin: 15000, stats: 15020, readiness: 15021 },
    log: { level: 'debug' },
    nodeMetadata: { X: 'y', CLUSTER_ID: 'Kubernetes' },
  })
})

test('flags without a value, and labels of Istio 1.18', (t) => {
  const args = ['proxy', 'waypoint', '--log_as_json', '--log_output_level', 'warning']
  const config = readConfig({ env: ENV, args, exists: () => false, podLabels: 'istio.io/gateway-name="old"\n' })
  t.like(config, { gateway: 'old', log: { format: 'json', level: 'warn' } })
})

test('a gateway without Gateway is named by its Deployment', (t) => {
  const env = { ...ENV, ISTIO_META_WORKLOAD_NAME: 'istio-ingressgateway' }
  const args = ['proxy', 'router', '--domain', 'x.svc.cluster.local']
  const config = readConfig({ env, args, exists: () => false, podLabels: 'istio="ingressgateway"\n' })
  t.like(config, { role: 'gateway', gateway: 'istio-ingressgateway' })
  const { id, metadata } = nodeMessage(config)
  t.regex(id ?? '', /^router~10\.0\.0\.9~waypoint-abc\.shop~shop\.svc\.cluster\.local$/)
  t.like(metadata, { GATEWAY_NAME: 'istio-ingressgateway', NAMESPACE: 'shop' })
})

test('what can not be understood is an error, not a guess', (t) => {
  const read = (more: object): unknown =>
    readConfig({ env: ENV, args: ARGS, exists: () => false, podLabels: LABELS, ...more })
  t.throws(() => read({ env: { ...ENV, POD_NAME: '' } }), { instanceOf: ConfigError, message: /POD_NAME/ })
  t.throws(() => read({ env: { ...ENV, INSTANCE_IP: 'x' } }), { message: /INSTANCE_IP/ })
  t.throws(() => read({ env: { ...ENV, CA_ADDR: 'http://x' } }), { message: /CA_ADDR/ })
  t.throws(() => read({ env: { ...ENV, PROXY_CONFIG: '{' } }), { message: /PROXY_CONFIG/ })
  t.throws(() => read({ podLabels: '' }), { message: /gateway-name/ })
  t.throws(() => read({ args: ['proxy', 'sidecar'] }), { message: /proxy waypoint\|router/ })
})
