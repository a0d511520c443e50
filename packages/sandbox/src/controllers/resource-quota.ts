import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import { GVR } from '../objects/gvr.ts'
import type { Pod } from '../objects/pod.types.ts'
import type { ResourceQuota } from '../objects/workloads.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { OwnerQueue } from './owner-queue.ts'
import { saysAlready } from './ownership.ts'
import { quotaUsage } from './quota-usage.ts'

/** Objects of other resources than pods and services are counted again after so long. */
const RECOUNT_MS = 5000

/** Counts what is used of each ResourceQuota. */
export class ResourceQuotaController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: OwnerQueue<ResourceQuota, Pod>
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { pods, resourceQuotas, services } = components.caches
    this.#queue = this.#stack.use(
      new OwnerQueue(components, {
        kind: 'ResourceQuota',
        gvr: GVR.resourceQuotas,
        owners: resourceQuotas,
        dependents: pods,
        spacingMs: LIMITS.controllerSpacingMs,
        reconcile: (quota) => this.#reconcile(quota),
      }),
    )
    const onChange = ({ object }: { object: { metadata: { namespace?: string | undefined } } }): void => {
      for (const quota of resourceQuotas.inNamespace(object.metadata.namespace)) this.#queue.add(quota)
    }
    this.#stack.use(pods.subscribe(onChange))
    this.#stack.use(services.subscribe(onChange))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(quota: ResourceQuota): Promise<void> {
    const { caches, client } = this.#components
    const { namespace, name = '' } = quota.metadata
    const counts = await this.#countOthers(quota)
    const claims = await client.list(GVR.persistentVolumeClaims, { namespace })
    const used = quotaUsage(quota, {
      pods: caches.pods.inNamespace(namespace),
      services: caches.services.inNamespace(namespace),
      claims: claims.items,
      count: (resource) => counts.get(resource) ?? 0,
    })
    this.#queue.addAfter(quota, RECOUNT_MS)
    const hard = quota.spec.hard ?? {}
    if (saysAlready(quota.status, { hard, used })) return
    // What is no longer limited is taken away by nulls.
    const gone = Object.fromEntries(Object.keys(quota.status?.hard ?? {}).map((key) => [key, null]))
    const status = { hard: { ...gone, ...hard }, used: { ...gone, ...used } }
    await client.patch(GVR.resourceQuotas, namespace, name, { status }, { subresource: 'status' })
  }

  /** Counts of the resources that a quota names and no cache holds. */
  async #countOthers(quota: ResourceQuota): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>()
    for (const name of Object.keys(quota.spec.hard ?? {})) {
      const [, resource = name, group = ''] = /^count\/([^.]+)(?:\.(.+))?$/.exec(name) ?? []
      for (const version of ['v1', 'v2']) {
        try {
          const { items } = await this.#components.client.list(
            { group, version, resource },
            { namespace: quota.metadata.namespace },
          )
          counts.set(`${group}/${resource}`, items.length)
        } catch (error) {
          // Not served, or no name of a resource at all.
          if (!hasStatus(error, 404)) throw error
        }
      }
    }
    return counts
  }
}
