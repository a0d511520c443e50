import { arrayOf, isObject, type JsonObject, objectOf } from '../json.ts'

function fill(target: JsonObject, defaults: JsonObject): void {
  for (const [key, value] of Object.entries(defaults))
    if (target[key] === undefined) target[key] = structuredClone(value)
}

/** Mode of files made from config maps, secrets and projections: 0644. */
const DEFAULT_FILE_MODE = 0o644

/** Kubernetes' own; a zero means the same as nothing. */
const PROBE_DEFAULTS = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }

/** Defaults of a pod's spec, of a pod itself or in a template. */
export function defaultPodSpec(spec: JsonObject): void {
  fill(spec, {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    securityContext: {},
    schedulerName: 'default-scheduler',
  })
  if (typeof spec['serviceAccountName'] === 'string' && spec['serviceAccountName'] !== '')
    spec['serviceAccount'] = spec['serviceAccountName']
  else if (typeof spec['serviceAccount'] === 'string' && spec['serviceAccount'] !== '')
    spec['serviceAccountName'] = spec['serviceAccount']
  for (const key of ['containers', 'initContainers', 'ephemeralContainers'])
    for (const container of arrayOf(spec[key]))
      if (isObject(container)) defaultContainer(container, spec['hostNetwork'] === true)
  for (const volume of arrayOf(spec['volumes'])) if (isObject(volume)) defaultVolume(volume)
}

function defaultContainer(container: JsonObject, hostNetwork: boolean): void {
  const image = typeof container['image'] === 'string' ? container['image'] : ''
  fill(container, {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: isLatest(image) ? 'Always' : 'IfNotPresent',
    resources: {},
  })
  for (const port of arrayOf(container['ports'])) {
    if (!isObject(port)) continue
    fill(port, { protocol: 'TCP' })
    if (hostNetwork) fill(port, { hostPort: port['containerPort'] })
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container[name]
    if (!isObject(probe)) continue
    for (const [key, value] of Object.entries(PROBE_DEFAULTS)) probe[key] ||= value
    if (isObject(probe['httpGet'])) fill(probe['httpGet'], { path: '/', scheme: 'HTTP' })
    if (isObject(probe['grpc'])) fill(probe['grpc'], { service: '' })
  }
  const resources = objectOf(container['resources'])
  if (isObject(resources['limits']) && isObject(container['resources']))
    container['resources']['requests'] = { ...resources['limits'], ...objectOf(resources['requests']) }
  for (const item of arrayOf(container['env'])) {
    const reference = objectOf(objectOf(item)['valueFrom'])['fieldRef']
    if (isObject(reference)) fill(reference, { apiVersion: 'v1' })
  }
}

function isLatest(image: string): boolean {
  if (image.includes('@')) return false
  const tag = /:([^/:]+)$/.exec(image)?.[1]
  return tag === undefined || tag === 'latest'
}

function defaultVolume(volume: JsonObject): void {
  if (Object.keys(volume).length === 1) volume['emptyDir'] = {}
  for (const name of ['configMap', 'secret', 'downwardAPI', 'projected'])
    if (isObject(volume[name])) fill(volume[name], { defaultMode: DEFAULT_FILE_MODE })
  if (isObject(volume['hostPath'])) fill(volume['hostPath'], { type: '' })
  const projected = objectOf(volume['projected'])
  for (const source of arrayOf(projected['sources'])) {
    const token = objectOf(source)['serviceAccountToken']
    if (isObject(token)) fill(token, { expirationSeconds: 3600 })
    defaultFieldRefs(objectOf(source)['downwardAPI'])
  }
  defaultFieldRefs(volume['downwardAPI'])
}

function defaultFieldRefs(downward: unknown): void {
  for (const item of arrayOf(objectOf(downward)['items'])) {
    const reference = objectOf(item)['fieldRef']
    if (isObject(reference)) fill(reference, { apiVersion: 'v1' })
  }
}
