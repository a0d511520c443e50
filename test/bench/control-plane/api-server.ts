// The sandbox's API server in a process of its own, with a mesh in it that changes.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import { systemClock } from '../../../packages/core/src/index.ts'
import type { Gvr, KubeObject } from '../../../packages/sandbox/src/apiserver/contract.types.ts'
import { createApiServer } from '../../../packages/sandbox/src/apiserver/create-api-server.ts'
import { createClusterPki } from '../../../packages/sandbox/src/pki/cluster-pki.ts'
import { createLogger } from '../../../packages/telemetry/src/index.ts'
import {
  type App,
  apps,
  CONTROL_NAMESPACE,
  endpointOf,
  type MeshSize,
  NODE_ACCOUNT,
  namespaceName,
  namespaceObject,
  nodeName,
  nodeObject,
  type PodPlace,
  podIp,
  podObject,
  podStatus,
  policyObject,
  replicaSet,
  serviceAccount,
  serviceObject,
  sliceObject,
  waypointObject,
} from './mesh-objects.ts'
import type { ChangeKind, FromApiServer, ProxyToken, ToApiServer } from './messages.types.ts'

/** What a pod is not changed again before, so that what is pushed is known to be of its last change, ms. */
const REST_MS = 5_000
const TICK_MS = 10
const AUDIENCE = 'istio-ca'
/** Of a hundred changes. The rest are pods that get ready and unready. */
const SHARES = { labels: 15, replaced: 20, policy: 2 }
const CRDS = join(import.meta.dirname, '../../../deploy/crds')

const gvr = (group: string, version: string, resource: string): Gvr => ({ group, version, resource })
const PODS = gvr('', 'v1', 'pods')
const SLICES = gvr('discovery.k8s.io', 'v1', 'endpointslices')
const POLICIES = gvr('security.istio.io', 'v1', 'authorizationpolicies')
const NAMESPACES = gvr('', 'v1', 'namespaces')
const ACCOUNTS = gvr('', 'v1', 'serviceaccounts')

interface LivePod extends PodPlace {
  readonly uid: string
  ready: boolean
  changedMs: number
  /** Place among those alive. */
  at: number
}

const [adminToken = ''] = process.argv.slice(2)
const pki = createClusterPki({ names: ['127.0.0.1'], nowMs: Date.now() })
const server = createServer()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const none = (): Promise<never> => Promise.reject(new Error('no pods run here'))
const api = await createApiServer({
  server,
  tls: { certPem: pki.server.certPem, keyPem: pki.server.keyPem, clientCaPem: pki.caPem },
  adminToken,
  maxObjects: 1_000_000,
  runtime: { exec: none, logs: none, portForward: none },
  logger: createLogger({ level: 'error', scope: 'api', write: (line) => void process.stderr.write(line) }),
  clock: systemClock,
})
const { client } = api
const live: LivePod[] = []
const byApp = new Map<App, Set<LivePod>>()
const owners = new Map<App, string>()
let guarded: readonly App[] = []
let places = 0
let policyRevision = 0

const say = (message: FromApiServer): void => void process.send?.(message)
const now = (): number => performance.timeOrigin + performance.now()

/** Custom kinds are served some turns after their definition was stored. */
async function create(at: Gvr, object: KubeObject): Promise<KubeObject> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await client.create(at, object)
    } catch (error) {
      if (attempt === 500 || (error as { readonly code?: number }).code !== 404) throw error
      await sleep(10)
    }
  }
}

async function createPod(app: App, { nodes }: MeshSize, announce: boolean): Promise<void> {
  const index = places++
  const place = {
    app,
    name: `${app.name}-a1b2c3d4e5-${index.toString(36)}`,
    ip: podIp(index),
    node: nodeName(index % nodes),
  }
  const made = await create(PODS, podObject(place, owners.get(app) ?? '', 'v1'))
  const atMs = announce ? now() : 0
  const pod: LivePod = { ...place, uid: made.metadata.uid ?? '', ready: true, changedMs: atMs, at: live.length }
  // As a pod has no address before, this is the change that proxies are told of.
  if (announce) changing('created', uidOf(pod), atMs)
  await client.updateStatus(PODS, { ...made, status: podStatus(place, true) })
  pod.at = live.length
  live.push(pod)
  byApp.getOrInsertComputed(app, () => new Set()).add(pod)
}

async function fill(size: MeshSize, proxies: number): Promise<readonly ProxyToken[]> {
  for (const folder of readdirSync(CRDS))
    for (const file of readdirSync(join(CRDS, folder)))
      for (const document of parseAllDocuments(readFileSync(join(CRDS, folder, file), 'utf8')))
        if (document.contents !== null)
          await create(
            gvr('apiextensions.k8s.io', 'v1', 'customresourcedefinitions'),
            document.toJS({ maxAliasCount: -1 }) as KubeObject,
          )
  await create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: CONTROL_NAMESPACE } })
  for (let index = 0; index < size.namespaces; index++) await create(NAMESPACES, namespaceObject(index))
  for (let index = 0; index < size.nodes; index++) await create(gvr('', 'v1', 'nodes'), nodeObject(index))
  for (let index = 0; index < size.namespaces; index += 10)
    await create(gvr('gateway.networking.k8s.io', 'v1', 'gateways'), waypointObject(namespaceName(index)))
  const all = apps(size)
  for (const app of all) {
    await create(ACCOUNTS, serviceAccount(app.namespace, app.name))
    await create(gvr('', 'v1', 'services'), serviceObject(app))
    const made = await create(gvr('apps', 'v1', 'replicasets'), replicaSet(app))
    owners.set(app, made.metadata.uid ?? '')
  }
  guarded = all.slice(0, size.policies)
  for (const app of guarded) await create(POLICIES, policyObject(app, policyRevision))
  for (let index = 0; index < size.pods; index++) {
    await createPod(all[index % all.length] as App, size, false)
    if (index % 500 === 0) await sleep(0)
  }
  for (const app of all) await create(SLICES, sliceOf(app))
  await create(ACCOUNTS, serviceAccount(CONTROL_NAMESPACE, NODE_ACCOUNT))
  const tokens: ProxyToken[] = []
  for (let index = 0; index < proxies; index++) tokens.push(await proxyOn(nodeName(index % size.nodes), index))
  return tokens
}

async function proxyOn(node: string, index: number): Promise<ProxyToken> {
  const name = `${NODE_ACCOUNT}-${index}`
  const metadata = { namespace: CONTROL_NAMESPACE, name, labels: { app: NODE_ACCOUNT } }
  const containers = [{ name: 'istio-proxy', image: 'ztunnel' }]
  const spec = { nodeName: node, serviceAccountName: NODE_ACCOUNT, hostNetwork: true, containers }
  const made = await create(PODS, { apiVersion: 'v1', kind: 'Pod', metadata, spec })
  return { token: await tokenOf({ name, uid: made.metadata.uid ?? '' }), pod: name, node }
}

async function tokenOf(pod: { readonly name: string; readonly uid: string }): Promise<string> {
  const account = { namespace: CONTROL_NAMESPACE, serviceAccount: NODE_ACCOUNT }
  return (await api.issueToken({ ...account, audiences: [AUDIENCE], pod, expirationSeconds: 3600 })).token
}

function sliceOf(app: App): KubeObject {
  return sliceObject(
    app,
    [...(byApp.get(app) ?? [])].map((pod) => endpointOf(pod, pod.uid, pod.ready)),
  )
}

function uidOf({ app, name }: PodPlace): string {
  return `Kubernetes//Pod/${app.namespace}/${name}`
}

function changing(kind: ChangeKind, resource: string, atMs: number): void {
  say({ type: 'changing', kind, resource, atMs })
}

/** A pod that rested. Steps through all of them, so that the same is not met again soon. */
function rested(): LivePod | undefined {
  for (let attempt = 0; attempt < 50; attempt++) {
    const pod = live[Math.floor(Math.random() * live.length)]
    if (pod !== undefined && now() - pod.changedMs > REST_MS) return pod
  }
  return undefined
}

async function writeSlice(app: App): Promise<void> {
  const { endpoints } = sliceOf(app)
  await client.patch(SLICES, app.namespace, `${app.name}-x7k2p`, { endpoints })
}

async function changeOne(size: MeshSize, turn: number): Promise<void> {
  const dice = turn % 100
  if (dice < SHARES.policy) {
    const app = guarded[Math.floor(turn / 100) % guarded.length]
    if (app === undefined) return
    changing('policy', `${app.namespace}/allow-${app.name}`, now())
    const { spec } = policyObject(app, ++policyRevision)
    await client.patch(POLICIES, app.namespace, `allow-${app.name}`, { spec })
    return
  }
  const pod = rested()
  if (pod === undefined) return
  const { app, name } = pod
  pod.changedMs = now()
  if (dice < SHARES.policy + SHARES.labels) {
    changing('labels', uidOf(pod), pod.changedMs)
    await client.patch(PODS, app.namespace, name, { metadata: { labels: { version: `v${turn}` } } })
    return
  }
  if (dice < SHARES.policy + SHARES.labels + SHARES.replaced) {
    changing('deleted', uidOf(pod), pod.changedMs)
    const last = live.pop() as LivePod
    if (last !== pod) {
      live[pod.at] = last
      last.at = pod.at
    }
    byApp.get(app)?.delete(pod)
    await client.delete(PODS, app.namespace, name, { gracePeriodSeconds: 0 })
    await createPod(app, size, true)
  } else {
    changing('readiness', uidOf(pod), pod.changedMs)
    pod.ready = !pod.ready
    await client.patch(PODS, app.namespace, name, { status: podStatus(pod, pod.ready) }, { subresource: 'status' })
  }
  await writeSlice(app)
}

async function change(size: MeshSize, rate: number, seconds: number): Promise<void> {
  const startedMs = now()
  const before = process.cpuUsage()
  let count = 0
  let behindMs = 0
  while (now() - startedMs < seconds * 1000) {
    const due = Math.floor(((now() - startedMs) / 1000) * rate)
    behindMs = Math.max(behindMs, ((due - count) / rate) * 1000)
    while (count < due) {
      await changeOne(size, count++)
      // Watches are written in turns of the event loop.
      await setImmediate()
    }
    await sleep(TICK_MS)
  }
  const { user, system } = process.cpuUsage(before)
  say({ type: 'changed', count, behindMs, cpuMs: (user + system) / 1000 })
}

let size: MeshSize | undefined
process.on('message', (message: ToApiServer) => {
  void (async () => {
    if (message.type === 'fill') {
      size = message.size
      say({ type: 'filled', tokens: await fill(message.size, message.proxies) })
    } else if (message.type === 'change' && size !== undefined) await change(size, message.rate, message.seconds)
    else if (message.type === 'tokens') {
      const pod = await client.get(PODS, CONTROL_NAMESPACE, `${NODE_ACCOUNT}-0`)
      const bound = { name: `${NODE_ACCOUNT}-0`, uid: pod.metadata.uid ?? '' }
      const tokens = await Promise.all(Array.from({ length: message.count }, () => tokenOf(bound)))
      say({ type: 'tokens', tokens })
    }
  })().catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
process.on('disconnect', () => process.exit(0))
say({ type: 'ready', port: (server.address() as AddressInfo).port, caPem: pki.caPem })
