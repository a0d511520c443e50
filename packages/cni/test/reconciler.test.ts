import { type Clock, ip, silentLogger } from '@ambit/core'
import type { Netns } from '@ambit/linux'
import test from 'ava'
import type { Enroller } from '../src/enroller.ts'
import { DEFAULT_SELECTORS } from '../src/enrollment.ts'
import type { PodFacts } from '../src/pod-facts.ts'
import { PodNetnsCache } from '../src/pod-netns-cache.ts'
import { Reconciler } from '../src/reconciler.ts'

function podOf(n: number): PodFacts {
  return {
    uid: `uid-${n}`,
    namespace: 'apps',
    name: `pod-${n}`,
    serviceAccount: 'sa',
    labels: new Map(),
    annotations: new Map(),
    hostNetwork: false,
    phase: 'Running',
    ips: [ip(`10.0.0.${n}`)],
  }
}

test('one pass finds the namespaces of all pods of a newly labelled namespace; those nobody asks for are closed', async (t) => {
  const pods = new Map([1, 2, 3, 4].map((n) => [podOf(n).uid, podOf(n)]))
  const closed: string[] = []
  const passes: string[][] = []
  const timers: (() => void)[] = []
  const enrolled: string[] = []
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_ms, callback) => {
      timers.push(callback)
      return { [Symbol.dispose]: () => undefined }
    },
    sleep: () => Promise.resolve(),
  }
  const reconciler = new Reconciler(
    {
      view: {
        pods: () => [...pods.values()],
        pod: (uid) => pods.get(uid),
        podNamed: () => undefined,
        namespace: (name) => ({ name, labels: new Map([['istio.io/dataplane-mode', 'ambient']]) }),
      },
      cache: new PodNetnsCache(),
      enroller: {
        isComplete: () => false,
        add: (pod: PodFacts) => Promise.resolve(void enrolled.push(pod.uid)),
      } as unknown as Enroller,
      finder: {
        find: (wanted) => {
          passes.push(wanted.map(({ uid }) => uid))
          return new Map(
            wanted.map(({ uid }) => [uid, { [Symbol.dispose]: () => void closed.push(uid) } as unknown as Netns]),
          )
        },
      },
      clock,
      logger: silentLogger,
      events: { add: () => undefined },
    },
    { selectors: DEFAULT_SELECTORS, excludeNamespaces: [] },
  )
  for (const n of [1, 2, 3]) await reconciler.reconcile(`uid-${n}`)
  t.deepEqual(enrolled, ['uid-1', 'uid-2', 'uid-3'])
  t.deepEqual(passes, [['uid-1', 'uid-2', 'uid-3', 'uid-4']])
  for (const expire of timers) expire()
  t.deepEqual(closed, ['uid-4'])
  await reconciler.reconcile('uid-4')
  t.is(passes.length, 2, 'then it is looked for again')
})
