import type { TokenCaller } from '@ambit/kube'
import test from 'ava'
import { authorizeImpersonation, type PodLookup } from '../src/ca/impersonation.ts'
import type { Pod } from '../src/domain.types.ts'
import { decodePod } from '../src/watch/decode-pod.ts'
import * as make from './support/objects.ts'

const TRUSTED = ['istio-system/ztunnel']
const podOf = (at: string, serviceAccountName: string, nodeName: string, phase = 'Running'): Pod =>
  decodePod(make.pod(at, { spec: { serviceAccountName, nodeName }, status: { phase } }))
const proxy = podOf('istio-system/zt', 'ztunnel', 'n1')
const caller: TokenCaller = {
  namespace: 'istio-system',
  serviceAccount: 'ztunnel',
  podName: 'zt',
  podUid: 'uid-istio-system/zt',
}
const wanted = { trustDomain: 'cluster.local', namespace: 'demo', serviceAccount: 'a' }

/** What the cache and what the API server know. */
function lookup(cached: readonly Pod[], live: readonly Pod[] = cached): PodLookup {
  const find = (pods: readonly Pod[], namespace: string, name: string): Pod | undefined =>
    pods.find((pod) => pod.namespace === namespace && pod.name === name)
  return {
    cached: (namespace, name) => find(cached, namespace, name),
    cachedIn: (namespace) => cached.filter((pod) => pod.namespace === namespace),
    live: (namespace, name) => Promise.resolve(find(live, namespace, name)),
    liveOnNode: (namespace, node) =>
      Promise.resolve(live.filter((pod) => pod.namespace === namespace && pod.node === node)),
  }
}

const allowed = test.macro(async (t, pods: PodLookup, who: Partial<TokenCaller> = {}) => {
  t.deepEqual(await authorizeImpersonation({ ...caller, ...who }, wanted, TRUSTED, pods), { allowed: true })
})
const refused = test.macro(async (t, pods: PodLookup, reason: RegExp, who: Partial<TokenCaller> = {}) => {
  const verdict = await authorizeImpersonation({ ...caller, ...who }, wanted, TRUSTED, pods)
  t.regex(verdict.allowed ? 'allowed' : verdict.reason, reason)
})

const workload = podOf('demo/a', 'a', 'n1')
test('a proxy may have what runs on its node', allowed, lookup([proxy, workload]))
test('one pod of several is enough', allowed, lookup([proxy, podOf('demo/b', 'a', 'n2'), workload]))
test('a pod not yet in the cache is asked for', allowed, lookup([proxy], [proxy, workload]))
test('a proxy not yet in the cache is asked for', allowed, lookup([workload], [proxy, workload]))
test('an account not trusted', refused, lookup([proxy, workload]), /not among CA_TRUSTED_NODE_ACCOUNTS/, {
  serviceAccount: 'other',
})
test('a token of no pod', refused, lookup([proxy, workload]), /not bound to a pod/, { podName: undefined })
test('a pod that is gone', refused, lookup([workload]), /does not exist/)
test('a pod made again under the same name', refused, lookup([proxy, workload]), /not the one the token was made for/, {
  podUid: 'former',
})
test('a pod of another account', refused, lookup([podOf('istio-system/zt', 'else', 'n1'), workload]), /runs as else/)
test(
  'a workload on another node',
  refused,
  lookup([proxy, podOf('demo/a', 'a', 'n2')]),
  /no pod of demo\/a runs on node n1/,
)
test('a workload of another account', refused, lookup([proxy, podOf('demo/a', 'b', 'n1')]), /no pod of demo\/a/)
test('a workload that failed', refused, lookup([proxy, podOf('demo/a', 'a', 'n1', 'Failed')]), /no pod of demo\/a/)
