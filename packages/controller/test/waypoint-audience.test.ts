import test from 'ava'
import type { Pod } from '../src/domain.types.ts'
import { decodePod } from '../src/watch/decode-pod.ts'
import { waypointAudience } from '../src/waypoint-audience.ts'
import * as make from './support/objects.ts'

const pod = (labels: Readonly<Record<string, string>>, serviceAccount = 'wp'): Pod =>
  decodePod(make.pod('a/wp-1', { spec: { serviceAccountName: serviceAccount } }, { labels }))
const MODERN = { 'gateway.networking.k8s.io/gateway-name': 'wp' }

const asks = test.macro(
  async (
    t,
    cached: Pod | undefined,
    live: Pod | undefined,
    client: { name: string; account: string; podName?: string; podUid?: string },
    expected: unknown,
  ) => {
    const pods = { cached: () => cached, live: () => Promise.resolve(live) }
    const verdict = await waypointAudience(pods, {
      name: client.name,
      namespace: 'a',
      serviceAccount: client.account,
      podName: client.podName,
      podUid: client.podUid,
    })
    t.deepEqual(verdict.ok ? verdict.audience : verdict.reason, expected)
  },
)
const itself = { name: 'wp-1.a', account: 'wp' }

test('a waypoint’s pod', asks, pod(MODERN), undefined, itself, 'a/wp')
test('one of Istio 1.18', asks, pod({ 'istio.io/gateway-name': 'old' }), undefined, itself, 'a/old')
test('a pod not seen yet', asks, undefined, pod(MODERN), itself, 'a/wp')
test('a pod of the name that was replaced', asks, pod(MODERN, 'former'), pod(MODERN), itself, 'a/wp')
test('no such pod', asks, undefined, undefined, itself, 'there is no pod a/wp-1')
test(
  'another account’s pod',
  asks,
  pod(MODERN, 'other'),
  pod(MODERN, 'other'),
  itself,
  'pod a/wp-1 runs as another service account than wp',
)
const ROUTER = { containers: [{ args: ['proxy', 'router'] }], serviceAccountName: 'wp' }
test(
  'a gateway that no Gateway was made for: by what it was deployed as',
  asks,
  decodePod(make.pod('a/wp-1', { spec: ROUTER }, { labels: { 'service.istio.io/workload-name': 'edge' } })),
  undefined,
  itself,
  'a/edge',
)
test('a pod of no Gateway', asks, pod({}), undefined, itself, 'pod a/wp-1 belongs to no Gateway')
test(
  'a pod of another namespace',
  asks,
  pod(MODERN),
  undefined,
  { name: 'wp-1.b', account: 'wp' },
  'the node names no pod of namespace a',
)

const OWN = { name: 'wp-1.a', account: 'wp', podName: 'wp-1' }
test('a token of the pod itself', asks, pod(MODERN), undefined, { ...OWN, podUid: pod(MODERN).uid }, 'a/wp')
test(
  'a token of another pod of the account',
  asks,
  pod(MODERN),
  undefined,
  { ...OWN, podName: 'app-1' },
  'the node names pod wp-1, the token is that of app-1',
)
test(
  'a token of a pod that was replaced',
  asks,
  pod(MODERN),
  pod(MODERN),
  { ...OWN, podUid: 'former' },
  'pod a/wp-1 is not the one the token was made for',
)
