import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf } from '../json.ts'
import type { RuleEnvironment } from '../resources/kind-rules.types.ts'
import { randomSuffix } from '../resources/object-meta.ts'
import { forbidden } from '../status-error.ts'
import { limitPod } from './limit-range.ts'
import { applyPriority } from './pod-priority.ts'
import { checkQuotas } from './pod-quota.ts'

const TOKEN_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount'
/** Kubernetes asks for an hour and seven seconds, which kubelets know as "legacy, extend". */
const TOKEN_SECONDS = 3607
/** How long a pod stays on a node that is gone. */
const NODE_GONE_SECONDS = 300

/** What Kubernetes' admission adds to a new pod: service account, its token volume, tolerations, priority, QoS. */
export function admitPod(pod: KubeObject, environment: RuleEnvironment): void {
  const spec = objectOf(pod['spec'])
  const namespace = pod.metadata.namespace ?? ''
  const name =
    typeof spec['serviceAccountName'] === 'string' && spec['serviceAccountName']
      ? spec['serviceAccountName']
      : 'default'
  spec['serviceAccountName'] = name
  spec['serviceAccount'] = name
  const account = environment.store.get('/serviceaccounts', namespace, name)
  if (account === undefined)
    throw forbidden(
      '',
      'pods',
      pod.metadata.name ?? '',
      `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
    )
  const automount = spec['automountServiceAccountToken'] ?? account['automountServiceAccountToken'] ?? true
  if (automount !== false) mountToken(spec)
  if (spec['imagePullSecrets'] === undefined && account['imagePullSecrets'] !== undefined)
    spec['imagePullSecrets'] = structuredClone(account['imagePullSecrets'])
  spec['enableServiceLinks'] ??= true
  applyRuntimeClass(pod, spec, environment)
  limitPod(pod, environment)
  applyPriority(pod, spec, environment)
  tolerate(spec, 'node.kubernetes.io/not-ready')
  tolerate(spec, 'node.kubernetes.io/unreachable')
  pod['status'] = { phase: 'Pending', qosClass: qosClass(spec) }
  checkQuotas(pod, environment)
}

/** A class that isn't there would be a runtime nobody has. */
function applyRuntimeClass(pod: KubeObject, spec: JsonObject, { store }: RuleEnvironment): void {
  const name = spec['runtimeClassName']
  if (typeof name !== 'string' || name === '') return
  const found = store.get('node.k8s.io/runtimeclasses', undefined, name)
  if (found === undefined)
    throw forbidden('', 'pods', pod.metadata.name ?? '', `pod rejected: RuntimeClass "${name}" not found`)
  const overhead = at(found, 'overhead', 'podFixed')
  if (overhead !== undefined) spec['overhead'] ??= structuredClone(overhead)
}

function tolerate(spec: JsonObject, key: string): void {
  const tolerations = arrayOf(spec['tolerations'])
  const covered = tolerations.some((item) => {
    const { key: own, effect, operator } = objectOf(item)
    const matchesKey = own === key || (own === undefined && operator === 'Exists')
    return matchesKey && (effect === undefined || effect === '' || effect === 'NoExecute')
  })
  if (!covered)
    spec['tolerations'] = [
      ...tolerations,
      { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: NODE_GONE_SECONDS },
    ]
}

function mountToken(spec: JsonObject): void {
  const volumes = arrayOf(spec['volumes'])
  const existing = volumes.find((volume) => String(at(volume, 'name')).startsWith('kube-api-access-'))
  const name = existing === undefined ? `kube-api-access-${randomSuffix()}` : String(at(existing, 'name'))
  let mounted = false
  for (const key of ['containers', 'initContainers'])
    for (const container of arrayOf(spec[key])) {
      if (!isObject(container)) continue
      const mounts = arrayOf(container['volumeMounts'])
      if (mounts.some((mount) => at(mount, 'mountPath') === TOKEN_DIRECTORY)) continue
      mounted = true
      container['volumeMounts'] = [...mounts, { name, readOnly: true, mountPath: TOKEN_DIRECTORY }]
    }
  if (!mounted || existing !== undefined) return
  const namespaceItem = { path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }
  const sources = [
    { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    { downwardAPI: { items: [namespaceItem] } },
  ]
  spec['volumes'] = [...volumes, { name, projected: { sources, defaultMode: 0o644 } }]
}

function qosClass(spec: JsonObject): string {
  const containers = [...arrayOf(spec['containers']), ...arrayOf(spec['initContainers'])]
  const resources = containers.map((container) => objectOf(objectOf(container)['resources']))
  const names = ['cpu', 'memory']
  const guaranteed = resources.every((item) =>
    names.every(
      (name) => at(item, 'limits', name) !== undefined && at(item, 'limits', name) === at(item, 'requests', name),
    ),
  )
  if (guaranteed) return 'Guaranteed'
  const any = resources.some((item) => names.some((name) => at(item, 'limits', name) ?? at(item, 'requests', name)))
  return any ? 'Burstable' : 'BestEffort'
}
