import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@ambit/core'
import { ApiCore } from '../../src/apiserver/api-core.ts'
import type { Gvr, KubeObject, ObjectClient } from '../../src/apiserver/contract.types.ts'
import { hasStatus } from '../../src/apiserver/status-error.ts'
import { openControllerCaches } from '../../src/controllers/caches.ts'
import type { ControllerComponents } from '../../src/controllers/components.types.ts'
import { startControllers } from '../../src/controllers/start-controllers.ts'
import { EventRecorder } from '../../src/kubelet/event-recorder.ts'
import { nodeObject, nodeStatus } from '../../src/kubelet/node-object.ts'
import { nodeAddresses } from '../../src/net/addresses.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { Pod } from '../../src/objects/pod.types.ts'
import { publishStandardClass } from '../../src/volumes/standard-class.ts'
import { VolumeBinder } from '../../src/volumes/volume-binder.ts'
import { silent } from '../apiserver/harness.ts'

/** What a scripted node makes of a pod: it stays as it is, runs, is ready, or ends with an exit code. */
export type Fate = 'stays' | 'runs' | 'ready' | { readonly exit: number }

export interface World extends AsyncDisposable {
  readonly core: ApiCore
  readonly client: ObjectClient
  readonly components: ControllerComponents
  /** Decides what becomes of each pod; asked whenever one changes, and by `settle`. */
  fate: (pod: Pod) => Fate
  /** Resolves when a condition holds, looked at after every change of any object. */
  until<T>(what: string, look: () => T | undefined | false): Promise<T>
  list<T extends KubeObject>(gvr: Gvr, namespace?: string): T[]
  /** The fourth argument is there for its type alone. */
  get<T extends KubeObject>(gvr: Gvr, name: string, namespace?: string, like?: T): T | undefined
  apply(object: object): Promise<KubeObject>
  patch(gvr: Gvr, name: string, patch: Record<string, unknown>): Promise<KubeObject>
  /** Asks the fates again. */
  settle(): void
  writes: number
}

const DEADLINE_MS = 20_000

/** The real API and all controllers; nodes whose pods do what the test says. */
export async function startWorld(o: { readonly nodes?: number; readonly clock?: Clock } = {}): Promise<World> {
  const clock = o.clock ?? systemClock
  const stack = new AsyncDisposableStack()
  const core = stack.use(new ApiCore({ clock, logger: silent, caPem: 'none' }))
  const client = core.client('test')
  const events = new EventRecorder({ client, logger: silent, clock })
  const caches = openControllerCaches({ client, logger: silent, clock }, stack)
  await Promise.all(Object.values(caches).map((cache) => cache.synced))
  const components: ControllerComponents = { client, logger: silent, clock, events, caches }
  stack.use(startControllers(components))
  const folder = mkdtempSync(join(tmpdir(), 'ambit-volumes-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const { volumeClaims: claims, volumes } = caches
  stack.use(new VolumeBinder({ client, logger: silent, clock, events, claims, volumes }, folder))
  await publishStandardClass(client)
  for (let index = 1; index <= (o.nodes ?? 2); index++) {
    const node = nodeAddresses(index)
    const machine = { cpus: 8, memoryBytes: 2 ** 34, kernel: '6', arch: 'amd64' }
    await client.create(GVR.nodes, nodeObject(node, machine, false))
    const status = nodeStatus(node, machine, false, new Date(clock.now()).toISOString())
    await client.patch(GVR.nodes, undefined, node.name, { status }, { subresource: 'status' })
  }
  let address = 1
  const world: World = {
    core,
    client,
    components,
    fate: () => 'ready',
    writes: 0,
    until(what, look) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          subscription[Symbol.dispose]()
          reject(new Error(`never happened: ${what}\n${describe(core)}`))
        }, DEADLINE_MS)
        const check = (): void => {
          const found = look()
          if (found === undefined || found === false) return
          clearTimeout(timer)
          subscription[Symbol.dispose]()
          resolve(found)
        }
        const subscription = core.store.subscribe('*', () => setImmediate(check))
        check()
      })
    },
    list: (gvr, namespace = 'default') => core.store.list(keyOf(gvr), namespace) as never,
    get: (gvr, name, namespace = 'default') =>
      core.store.get(keyOf(gvr), gvr.resource === 'nodes' ? undefined : namespace, name) as never,
    async apply(object) {
      const { apiVersion, kind, metadata } = object as KubeObject
      const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
      const definition = core.registry.findKind(group, kind)
      if (definition === undefined) throw new Error(`${kind} is not served`)
      const gvr = { group, version, resource: definition.resource }
      const named = { ...object, metadata: { namespace: 'default', ...metadata } } as KubeObject
      return await client.create(gvr, structuredClone(named))
    },
    patch: (gvr, name, patch) => client.patch(gvr, 'default', name, patch),
    settle() {
      for (const pod of core.store.list('/pods')) act(pod as Pod)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
  const act = (pod: Pod): void => {
    if (!pod.spec.nodeName) return
    setImmediate(
      () =>
        void live(pod).catch((error: unknown) => {
          if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
        }),
    )
  }
  const live = async (seen: Pod): Promise<void> => {
    const { namespace, name = '', uid } = seen.metadata
    const pod = core.store.get('/pods', namespace, name) as Pod | undefined
    if (pod === undefined || pod.metadata.uid !== uid) return
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (pod.metadata.deletionGracePeriodSeconds !== 0)
        await client.delete(GVR.pods, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } })
      return
    }
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return
    const fate = world.fate(pod)
    if (fate === 'stays') return
    const status = statusOf(pod, fate, `10.1.${address >> 8}.${address++ & 255}`, new Date(clock.now()).toISOString())
    if (pod.status?.phase === status.phase && readyOf(pod) === readyOf({ ...pod, status })) return
    await client.patch(GVR.pods, namespace, name, { metadata: { uid }, status }, { subresource: 'status' })
  }
  stack.use(
    core.store.subscribe('*', ({ key, object, type }) => {
      world.writes++
      if (key === '/pods' && type !== 'DELETED') act(object as Pod)
    }),
  )
  return world
}

function keyOf(gvr: Gvr): string {
  return `${gvr.group}/${gvr.resource}`
}

function readyOf(pod: Pod): string | undefined {
  return pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status
}

function statusOf(pod: Pod, fate: Exclude<Fate, 'stays'>, ip: string, now: string): NonNullable<Pod['status']> {
  const ready = fate === 'ready'
  const exit = typeof fate === 'object' ? fate.exit : undefined
  const at = now.replace(/\.\d+Z$/, 'Z')
  const state =
    exit === undefined
      ? { running: { startedAt: at } }
      : { terminated: { exitCode: exit, reason: exit === 0 ? 'Completed' : 'Error', startedAt: at, finishedAt: at } }
  return {
    phase: exit === undefined ? 'Running' : exit === 0 ? 'Succeeded' : 'Failed',
    podIP: pod.status?.podIP ?? ip,
    podIPs: [{ ip: pod.status?.podIP ?? ip }],
    startTime: pod.status?.startTime ?? at,
    conditions: [
      { type: 'PodScheduled', status: 'True', lastTransitionTime: at },
      { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: at },
    ],
    containerStatuses: pod.spec.containers.map(({ name }) => ({
      name,
      state,
      lastState: {},
      ready,
      started: true,
      restartCount: 0,
      image: 'x',
      imageID: 'x',
    })),
  }
}

/** What there is, for the message of a test that waited in vain. */
function describe(core: ApiCore): string {
  return ['/pods', 'apps/replicasets', 'apps/deployments', 'apps/statefulsets', 'apps/daemonsets', 'batch/jobs']
    .flatMap((key) => core.store.list(key))
    .map((object) => `${object.kind} ${object.metadata.name} ${JSON.stringify(object['status'])}`)
    .join('\n')
}

/** A pod template with that label. */
export function template(app: string, spec: object = {}): { metadata: object; spec: object } {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: 'c', image: 'x' }], ...spec } }
}
