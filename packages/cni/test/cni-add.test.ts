import { ip, systemClock } from '@ambit/core'
import type { Netns } from '@ambit/linux'
import test from 'ava'
import { addNewPod } from '../src/cni-add.ts'
import { decodeCniAddEvent, encodeCniAddEvent } from '../src/cni-add-event.ts'
import { decodePod, type PodFacts } from '../src/pod-facts.ts'

const podOf = (uid: string, serviceAccountName: string): PodFacts | undefined =>
  decodePod({ metadata: { uid, name: 'web-0', namespace: 'apps' }, spec: { serviceAccountName } })

/** The agent's watch still knows the predecessor. */
async function enrolled(podUid: string | undefined, live: PodFacts | undefined): Promise<PodFacts[]> {
  const added: PodFacts[] = []
  const event = {
    netns: `/proc/${process.pid}/ns/net`,
    podName: 'web-0',
    podNamespace: 'apps',
    ips: [ip('10.0.0.7')],
    ...(podUid && { podUid }),
  }
  const told = decodeCniAddEvent(encodeCniAddEvent(event))
  if ('problem' in told) throw new TypeError(told.problem)
  await addNewPod(
    told,
    {
      view: {
        pods: () => [],
        pod: () => undefined,
        podNamed: () => podOf('old', 'admin'),
        namespace: () => undefined,
      },
      api: {
        readPod: () => Promise.resolve(live),
        readNamespace: () => Promise.resolve(undefined),
        writeRedirection: () => Promise.resolve(),
      },
      reconciler: {
        addNew: (pod: PodFacts, netns: Netns) => {
          netns[Symbol.dispose]()
          return Promise.resolve(void added.push(pod))
        },
      },
      finder: { owns: () => true },
      clock: systemClock,
    },
    { hostRoot: '/', netnsDir: '/var/run/netns', procDir: '/proc' },
  )
  return added
}

test('a new pod gets nothing of a predecessor of its name that the watch still knows', async (t) => {
  const [pod] = await enrolled('new', podOf('new', 'web'))
  t.like(pod, { uid: 'new', serviceAccount: 'web' })
})

test('where the API server knows only the predecessor, too, the sandbox fails', async (t) => {
  await t.throwsAsync(enrolled('new', podOf('old', 'admin')), { message: /does not exist/ })
})

test('a plugin that does not tell the uid is believed the name', async (t) => {
  const [pod] = await enrolled(undefined, undefined)
  t.is(pod?.uid, 'old')
})
