import { systemClock } from '@ambit/core'
import test from 'ava'
import { ApiCore } from '../../src/apiserver/api-core.ts'
import type { Gvr, KubeObject } from '../../src/apiserver/contract.types.ts'
import { StatusError } from '../../src/apiserver/status-error.ts'
import { silent } from './harness.ts'

const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' }
const SECRETS: Gvr = { group: '', version: 'v1', resource: 'secrets' }
const QUOTAS: Gvr = { group: '', version: 'v1', resource: 'resourcequotas' }
const DEPLOYMENTS: Gvr = { group: 'apps', version: 'v1', resource: 'deployments' }
const DAEMON_SETS: Gvr = { group: 'apps', version: 'v1', resource: 'daemonsets' }

type Json = Record<string, unknown>

function setUp() {
  const core = new ApiCore({ clock: systemClock, logger: silent, caPem: 'root' })
  const client = core.client('test')
  /** What the API server says to it; undefined when it took it. */
  const answer = async (gvr: Gvr, object: KubeObject): Promise<string | undefined> => {
    try {
      await client.create(gvr, object)
      await client.delete(gvr, 'default', object.metadata.name ?? '')
      return undefined
    } catch (error) {
      if (error instanceof StatusError) return error.message
      throw error
    }
  }
  return { core, client, answer }
}

function pod(container: Json = {}, spec: Json = {}): KubeObject {
  const containers = [{ name: 'c', image: 'i:1', ...container }]
  const metadata = { name: 'p', namespace: 'default' }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { terminationGracePeriodSeconds: 0, ...spec, containers } }
}

function workload(kind: string, spec: Json): KubeObject {
  const template = { metadata: { labels: { a: 'b' } }, spec: pod()['spec'] }
  const metadata = { name: 'w', namespace: 'default' }
  return { apiVersion: 'apps/v1', kind, metadata, spec: { selector: { matchLabels: { a: 'b' } }, template, ...spec } }
}

const term = (more: Json): Json => {
  return { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: {}, ...more }] } }
}

const onNode = (requirement: Json): Json => {
  const nodeSelectorTerms = [{ matchExpressions: [requirement] }]
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } }
}

test('what a container can not be is refused with its field, and its neighbour is taken', async (t) => {
  const { core, answer } = setUp()
  using _core = core
  const http = { httpGet: { port: 80 } }
  const rows: readonly (readonly [Json, RegExp, Json])[] = [
    [
      { resources: { requests: { cpu: 'lots' } } },
      /"lots" as spec\.containers\[0\]\.resources\.requests\.cpu: quantities must match/,
      { resources: { requests: { cpu: '100u' } } },
    ],
    [
      { resources: { requests: { memroy: '1Gi' } } },
      /resources\.requests\[memroy\]: .*standard resource type or fully qualified/,
      { resources: { requests: { 'example.com/gpu': 1 } } },
    ],
    [
      { resources: { limits: { cpu: -1 } } },
      /resources\.limits\[cpu\]: Invalid value: -1: must be greater than or equal to 0/,
      { resources: { limits: { cpu: 0 } } },
    ],
    [
      { resources: { requests: { cpu: '2' }, limits: { cpu: '1500m' } } },
      /requests: Invalid value: "2": must be less than or equal to cpu limit of 1500m/,
      { resources: { requests: { cpu: '1.5' }, limits: { cpu: '1500m' } } },
    ],
    [{ livenessProbe: {} }, /livenessProbe: Required value: must specify a handler type/, { livenessProbe: http }],
    [
      { readinessProbe: { ...http, tcpSocket: { port: 80 } } },
      /readinessProbe\.tcpSocket: Forbidden: may not specify more than 1 handler type/,
      { readinessProbe: { tcpSocket: { port: 'web' } } },
    ],
    [
      { livenessProbe: { httpGet: { port: 0 } } },
      /livenessProbe\.httpGet\.port: Invalid value: 0/,
      { livenessProbe: { grpc: { port: 65_535 } } },
    ],
    [
      { startupProbe: { ...http, periodSeconds: -1 } },
      /startupProbe\.periodSeconds: Invalid value: -1/,
      { startupProbe: { ...http, periodSeconds: 0 } },
    ],
    [
      { livenessProbe: { ...http, successThreshold: 2 } },
      /livenessProbe\.successThreshold: Invalid value: 2: must be 1/,
      { readinessProbe: { ...http, successThreshold: 2 } },
    ],
    [
      { lifecycle: { preStop: {} } },
      /lifecycle\.preStop: Required value: must specify a handler type/,
      { lifecycle: { preStop: { sleep: { seconds: 1 } } } },
    ],
    [
      { terminationMessagePolicy: 'x' },
      /terminationMessagePolicy: Unsupported value: "x"/,
      { terminationMessagePolicy: 'FallbackToLogsOnError' },
    ],
    [
      { ports: [{ name: 'Web_1', containerPort: 80 }] },
      /ports\[0\]\.name: Invalid value: "Web_1"/,
      { ports: [{ name: 'web-1', containerPort: 80 }] },
    ],
    [
      {
        ports: [
          { name: 'web', containerPort: 80 },
          { name: 'web', containerPort: 81 },
        ],
      },
      /ports\[1\]\.name: Duplicate value: "web"/,
      { ports: [{ containerPort: 80 }, { containerPort: 81 }] },
    ],
    [{ env: [{ name: 'A=B' }] }, /env\[0\]\.name: Invalid value: "A=B"/, { env: [{ name: 'a b.c' }] }],
    [
      { env: [{ name: 'A', valueFrom: {} }] },
      /env\[0\]\.valueFrom: .*must specify one of/,
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
    ],
    [
      { env: [{ name: 'A', value: 'x', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
      /may not be specified when `value` is not empty/,
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
    ],
    [
      { securityContext: { runAsUser: -5 } },
      /securityContext\.runAsUser: Invalid value: -5/,
      { securityContext: { runAsUser: 0 } },
    ],
    [
      { securityContext: { privileged: true, allowPrivilegeEscalation: false } },
      /cannot set `allowPrivilegeEscalation` to false/,
      { securityContext: { privileged: true } },
    ],
  ]
  for (const [wrong, said, right] of rows) {
    t.regex((await answer(PODS, pod(wrong))) ?? 'taken', said)
    t.is(await answer(PODS, pod(right)), undefined, JSON.stringify(right))
  }
})

test('what a pod can not ask of its node, its volumes and its time is refused', async (t) => {
  const { core, answer } = setUp()
  using _core = core
  const volume = (source: Json): Json => ({ volumes: [{ name: 'v', ...source }] })
  const spread = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }
  const rows: readonly (readonly [Json, RegExp, Json])[] = [
    [{ nodeSelector: { 'a b': 'x' } }, /nodeSelector: Invalid value: "a b"/, { nodeSelector: { 'a.b/c': 'x' } }],
    [
      { tolerations: [{ key: 'k', operator: 'Equals' }] },
      /tolerations\[0\]\.operator: Unsupported value: "Equals"/,
      { tolerations: [{ key: 'k', operator: 'Equal', value: 'v' }] },
    ],
    [
      { tolerations: [{ value: 'v' }] },
      /operator must be Exists when `key` is empty/,
      { tolerations: [{ operator: 'Exists' }] },
    ],
    [
      { tolerations: [{ operator: 'Exists', effect: 'NoRun' }] },
      /tolerations\[0\]\.effect: Unsupported value: "NoRun"/,
      { tolerations: [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }] },
    ],
    [
      { affinity: term({}) },
      /podAffinity\..*\[0\]\.topologyKey: Required value/,
      { affinity: term({ topologyKey: 'zone' }) },
    ],
    [
      { affinity: onNode({ key: 'k', operator: 'Is' }) },
      /operator: Invalid value: "Is": not a valid selector operator/,
      { affinity: onNode({ key: 'k', operator: 'Gt', values: ['1'] }) },
    ],
    [
      { topologySpreadConstraints: [{ ...spread, maxSkew: 0 }] },
      /maxSkew: Invalid value: 0: must be greater than zero/,
      { topologySpreadConstraints: [spread] },
    ],
    [volume({ configMap: {} }), /volumes\[0\]\.configMap\.name: Required value/, volume({ configMap: { name: 'm' } })],
    [
      volume({ persistentVolumeClaim: {} }),
      /volumes\[0\]\.persistentVolumeClaim\.claimName: Required value/,
      volume({ emptyDir: {} }),
    ],
    [
      volume({ emptyDir: { sizeLimit: 'huge' } }),
      /"huge" as spec\.volumes\[0\]\.emptyDir\.sizeLimit: quantities/,
      volume({ emptyDir: { sizeLimit: '1e3' } }),
    ],
    [
      { activeDeadlineSeconds: 0 },
      /activeDeadlineSeconds: Invalid value: 0: must be between 1/,
      { activeDeadlineSeconds: 1 },
    ],
  ]
  for (const [wrong, said, right] of rows) {
    t.regex((await answer(PODS, pod({}, wrong))) ?? 'taken', said)
    t.is(await answer(PODS, pod({}, right)), undefined, JSON.stringify(right))
  }
})

test('a zero in a probe is Kubernetes’ default, so that nothing is asked without a pause', async (t) => {
  const { core, client } = setUp()
  using _core = core
  const created = await client.create(PODS, pod({ livenessProbe: { tcpSocket: { port: 1 }, periodSeconds: 0 } }))
  const [container] = (created['spec'] as { containers: { livenessProbe: Json }[] }).containers
  t.like(container?.livenessProbe, { periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 3 })
})

test('a rollout that could replace no pod is refused, and what is no strategy', async (t) => {
  const { core, answer } = setUp()
  using _core = core
  const rolling = (maxSurge: unknown, maxUnavailable: unknown): Json => ({
    rollingUpdate: { maxSurge, maxUnavailable },
  })
  const rows: readonly (readonly [Json, RegExp | undefined])[] = [
    [{ strategy: rolling(0, 0) }, /maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0/],
    [{ strategy: rolling('0%', 0) }, /may not be 0/],
    [{ strategy: rolling(0, 1) }, undefined],
    [{ strategy: rolling(1, '101%') }, /must not be greater than 100%/],
    [{ strategy: rolling('some', 1) }, /maxSurge: Invalid value: "some"/],
    [{ strategy: rolling('200%', 0) }, undefined],
    [{ strategy: { type: 'Rolling' } }, /strategy\.type: Unsupported value: "Rolling"/],
    [{ strategy: { type: 'Recreate', ...rolling(1, 1) } }, /rollingUpdate: Forbidden/],
    [{ revisionHistoryLimit: -1 }, /revisionHistoryLimit: Invalid value: -1/],
  ]
  for (const [spec, said] of rows) {
    const answered = await answer(DEPLOYMENTS, workload('Deployment', spec))
    if (said === undefined) t.is(answered, undefined)
    else t.regex(answered ?? 'taken', said)
  }
  t.regex(
    (await answer(DAEMON_SETS, workload('DaemonSet', { updateStrategy: { type: 'Recreate' } }))) ?? '',
    /updateStrategy\.type/,
  )
  t.is(await answer(DAEMON_SETS, workload('DaemonSet', { updateStrategy: { type: 'OnDelete' } })), undefined)
})

test('Secrets have the keys of their type, quotas hold amounts', async (t) => {
  const { core, answer } = setUp()
  using _core = core
  const metadata = { name: 's', namespace: 'default' }
  const secret = (type: string, data: Json): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata, type, data })
  t.regex(
    (await answer(SECRETS, secret('kubernetes.io/tls', { 'tls.crt': '' }))) ?? '',
    /data\[tls\.key\]: Required value/,
  )
  t.is(await answer(SECRETS, secret('kubernetes.io/tls', { 'tls.crt': '', 'tls.key': '' })), undefined)
  t.regex((await answer(SECRETS, secret('kubernetes.io/basic-auth', {}))) ?? '', /data\[username\]: Required value/)
  t.is(await answer(SECRETS, secret('constructor', {})), undefined)
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: 'many' } } }
  t.regex((await answer(QUOTAS, quota)) ?? '', /"many" as spec\.hard\.pods/)
})
