import { type Clock, systemClock } from '@ambit/core'
import test from 'ava'
import type { CniAddEvent } from '../src/cni-add-event.ts'
import { decodePluginConfig } from '../src/cni-protocol.ts'
import { PLUGIN_POD_ATTEMPTS } from '../src/limits.ts'
import { addSandbox, type PluginComponents } from '../src/plugin-add.ts'
import { PluginError } from '../src/plugin-error.ts'
import { decodePod, type PodFacts } from '../src/pod-facts.ts'

const MODE = 'istio.io/dataplane-mode'
const CONFIG = decodePluginConfig(
  JSON.stringify({
    ambient_enabled: true,
    exclude_namespaces: ['kube-system'],
    pod_namespace: 'istio-system',
    prevResult: { ips: [{ address: '10.0.0.7/24' }] },
  }),
)
const noWait: Clock = { ...systemClock, sleep: () => Promise.resolve() }

function podOf(name: string, uid = 'u1'): PodFacts {
  const pod = decodePod({ metadata: { uid, name, namespace: 'apps' } })
  if (pod === undefined) throw new Error('bad fixture')
  return pod
}

function sandbox(namespace: string, name: string, uid?: string) {
  const args = new Map([
    ['K8S_POD_NAMESPACE', namespace],
    ['K8S_POD_NAME', name],
  ])
  if (uid !== undefined) args.set('K8S_POD_UID', uid)
  return { netns: '/var/run/netns/x', args }
}

function components(o: Partial<PluginComponents> = {}): PluginComponents & { reported: CniAddEvent[] } {
  const reported: CniAddEvent[] = []
  return {
    reported,
    clock: noWait,
    readPod: (_namespace, name) => Promise.resolve(podOf(name)),
    readNamespace: (name) => Promise.resolve({ name, labels: new Map([[MODE, 'ambient']]) }),
    report: (event) => {
      reported.push(event)
      return Promise.resolve()
    },
    ...o,
  }
}

test('a selected pod is reported with the addresses of the plugin before', async (t) => {
  const parts = components()
  t.deepEqual(await addSandbox(CONFIG, sandbox('apps', 'p'), parts), { enrolled: true, reason: 'selected' })
  t.deepEqual(parts.reported as unknown, [
    { netns: '/var/run/netns/x', podName: 'p', podNamespace: 'apps', podUid: 'u1', ips: ['10.0.0.7'] },
  ])
})

for (const [what, namespace, name] of [
  ['the agent itself', 'istio-system', 'istio-cni-node-x1'],
  ['an excluded namespace', 'kube-system', 'dns'],
  ['a sandbox that is no pod', '', ''],
] as const) {
  test(`${what} starts without asking anybody`, async (t) => {
    const parts = components({ readPod: () => Promise.reject(new Error('asked')) })
    t.false((await addSandbox(CONFIG, sandbox(namespace, name), parts)).enrolled)
  })
}

test('a pod of the same name and another uid is waited for', async (t) => {
  const answers = ['old', 'old', 'new']
  const parts = components({ readPod: (_namespace, name) => Promise.resolve(podOf(name, answers.shift() ?? 'new')) })
  t.true((await addSandbox(CONFIG, sandbox('apps', 'p', 'new'), parts)).enrolled)
  t.is(answers.length, 0)
})

test('without an API server the sandbox fails after the attempts', async (t) => {
  let asked = 0
  const parts = components({
    readPod: () => {
      asked++
      return Promise.reject(new Error('connection refused'))
    },
  })
  const error = await t.throwsAsync(addSandbox(CONFIG, sandbox('apps', 'p'), parts), { instanceOf: PluginError })
  t.regex(error?.message ?? '', /failed to read pod apps\/p from the API server: connection refused/)
  t.is(asked, PLUGIN_POD_ATTEMPTS)
})

test('a name that would leave its path is refused', async (t) => {
  await t.throwsAsync(addSandbox(CONFIG, sandbox('apps', '../secrets'), components()), { instanceOf: PluginError })
})

test('selectors that cannot be read fail the sandbox instead of letting it start uncaptured', async (t) => {
  const config = { ...CONFIG, enablementSelectors: [{ podselector: {} }] }
  await t.throwsAsync(addSandbox(config, sandbox('apps', 'p'), components()), { code: 'INVALID_SELECTOR' })
})
