import { type Clock, systemClock } from '@ambit/core'
import test from 'ava'
import type { CniAddEvent } from '../src/cni-add-event.ts'
import { decodePluginConfig } from '../src/cni-protocol.ts'
import { PLUGIN_POD_ATTEMPTS } from '../src/limits.ts'
import { type AgentAnswer, addSandbox, type PluginComponents } from '../src/plugin-add.ts'
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

const away = (): Promise<AgentAnswer> => Promise.resolve({ kind: 'away', cause: new Error('connect ENOENT') })

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
      return Promise.resolve({ kind: 'decided', enrolled: true, reason: 'enrolled' })
    },
    ...o,
  }
}

test('a pod is reported with the addresses of the plugin before, and the API server not asked', async (t) => {
  const parts = components({ readPod: () => Promise.reject(new Error('asked')) })
  t.true((await addSandbox(CONFIG, sandbox('apps', 'p', 'u1'), parts)).enrolled)
  t.deepEqual(parts.reported as unknown, [
    { netns: '/var/run/netns/x', podName: 'p', podNamespace: 'apps', podUid: 'u1', ips: ['10.0.0.7'] },
  ])
})

test('what the agent cannot do fails the sandbox, whatever the pod', async (t) => {
  const report = () => Promise.resolve({ kind: 'failed', message: 'the agent answered 500: no ztunnel' } as const)
  await t.throwsAsync(addSandbox(CONFIG, sandbox('apps', 'p'), components({ report })), {
    message: 'istio-cni cmdAdd failed to contact node Istio CNI agent: the agent answered 500: no ztunnel',
  })
})

test('without the agent only pods start that are not to be captured', async (t) => {
  await t.throwsAsync(addSandbox(CONFIG, sandbox('apps', 'p'), components({ report: away })), {
    message: 'istio-cni cmdAdd failed to contact node Istio CNI agent: connect ENOENT',
  })
  const readNamespace = (name: string) => Promise.resolve({ name, labels: new Map<string, string>() })
  t.deepEqual(await addSandbox(CONFIG, sandbox('apps', 'p'), components({ report: away, readNamespace })), {
    enrolled: false,
    reason: 'not selected',
  })
})

for (const [what, namespace, name] of [
  ['the agent itself', 'istio-system', 'istio-cni-node-x1'],
  ['an excluded namespace', 'kube-system', 'dns'],
  ['a sandbox that is no pod', '', ''],
] as const) {
  test(`${what} starts without asking anybody`, async (t) => {
    const parts = components({ report: () => Promise.reject(new Error('asked')) })
    t.false((await addSandbox(CONFIG, sandbox(namespace, name), parts)).enrolled)
  })
}

test('a pod of the same name and another uid is waited for', async (t) => {
  const answers = ['old', 'old', 'new']
  const readPod = (_namespace: string, name: string) => Promise.resolve(podOf(name, answers.shift() ?? 'new'))
  await t.throwsAsync(addSandbox(CONFIG, sandbox('apps', 'p', 'new'), components({ report: away, readPod })))
  t.is(answers.length, 0)
})

test('without an API server the sandbox fails after the attempts', async (t) => {
  let asked = 0
  const parts = components({
    report: away,
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
