import { messageOf } from '@ambit/core'
import { ApiException, KubeConfig, KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node'
import { ClusterError } from '../errors.ts'
import { POD_REQUEST_TIMEOUT_MS } from '../limits.ts'
import type { Cluster, ClusterObject, ListQuery, ObjectReference, PodRequest, PodResponse } from './cluster.types.ts'
import { httpOverStream } from './http-over-stream.ts'
import { dialPod } from './port-forward.ts'

const FIELD_MANAGER = 'ambit'

/** The cluster a kubeconfig names. */
export class KubeCluster implements Cluster {
  readonly #config: KubeConfig
  readonly #objects: KubernetesObjectApi

  constructor(config: KubeConfig) {
    this.#config = config
    this.#objects = KubernetesObjectApi.makeApiClient(config)
  }

  /** Reads the kubeconfig at `path`, else the one kubectl would use. */
  static fromKubeConfig(options: {
    readonly path?: string | undefined
    readonly context?: string | undefined
  }): KubeCluster {
    const config = new KubeConfig()
    try {
      if (options.path === undefined) config.loadFromDefault()
      else config.loadFromFile(options.path)
    } catch (cause) {
      const from = options.path ?? 'the default places (KUBECONFIG, ~/.kube/config)'
      throw new ClusterError(`cannot read a kubeconfig from ${from}: ${messageOf(cause)}`, { cause })
    }
    // What the client falls back to when it found neither a kubeconfig nor a service account.
    if (config.getCurrentCluster()?.server === 'http://localhost:8080') {
      throw new ClusterError(
        'no kubeconfig found: set KUBECONFIG, say --kubeconfig FILE, or start one: ambit sandbox up',
      )
    }
    if (options.context !== undefined) {
      const known = config.getContexts().map((context) => context.name)
      if (!known.includes(options.context)) {
        throw new ClusterError(`the kubeconfig has no context "${options.context}"; it has: ${known.join(', ')}`)
      }
      config.setCurrentContext(options.context)
    }
    return new KubeCluster(config)
  }

  async list(query: ListQuery): Promise<readonly ClusterObject[]> {
    const items: ClusterObject[] = []
    let next: string | undefined
    do {
      const page = await this.#explain(`list ${query.kind}`, () =>
        this.#objects.list(
          query.apiVersion,
          query.kind,
          query.namespace,
          undefined,
          undefined,
          undefined,
          query.fieldSelector,
          query.labelSelector,
          500,
          next,
        ),
      )
      items.push(...(page.items as unknown as ClusterObject[]))
      next = page.metadata?._continue === '' ? undefined : page.metadata?._continue
    } while (next !== undefined)
    return items
  }

  async read(reference: ObjectReference): Promise<ClusterObject | undefined> {
    try {
      return (await this.#explain(`read ${describe(reference)}`, () =>
        this.#objects.read({
          apiVersion: reference.apiVersion,
          kind: reference.kind,
          metadata: { name: reference.name, namespace: reference.namespace ?? '' },
        }),
      )) as unknown as ClusterObject
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async apply(object: ClusterObject, options: { readonly dryRun: boolean }): Promise<void> {
    await this.#explain(`apply ${object.kind} ${object.metadata.name}`, () =>
      this.#objects.patch(
        object as never,
        undefined,
        options.dryRun ? 'All' : undefined,
        FIELD_MANAGER,
        true,
        PatchStrategy.ServerSideApply,
      ),
    )
  }

  async delete(reference: ObjectReference): Promise<boolean> {
    try {
      await this.#explain(`delete ${describe(reference)}`, () =>
        this.#objects.delete({
          apiVersion: reference.apiVersion,
          kind: reference.kind,
          metadata: {
            name: reference.name,
            ...(reference.namespace === undefined ? {} : { namespace: reference.namespace }),
          },
        }),
      )
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  async ask(asked: PodRequest): Promise<PodResponse> {
    const what = `port ${asked.port} of pod ${asked.pod}.${asked.namespace}`
    const signal = AbortSignal.timeout(POD_REQUEST_TIMEOUT_MS)
    const connection = await this.#explain(`forward ${what}`, () => dialPod(this.#config, asked))
    return await httpOverStream(connection, { path: asked.path, method: asked.method ?? 'GET', what, signal })
  }

  async #explain<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (cause) {
      const server = this.#config.getCurrentCluster()?.server ?? 'no cluster'
      throw new ClusterError(`cannot ${what} at ${server}: ${reasonOf(cause)}`, { cause })
    }
  }
}

function describe(reference: ObjectReference): string {
  const namespace = reference.namespace === undefined ? '' : `${reference.namespace}/`
  return `${reference.kind} ${namespace}${reference.name}`
}

function isNotFound(error: unknown): boolean {
  return error instanceof ClusterError && error.cause instanceof ApiException && error.cause.code === 404
}

/** The message of the API server's Status rather than the whole HTTP exchange. */
function reasonOf(error: unknown): string {
  if (error instanceof ApiException) {
    const body: unknown = error.body
    const text = typeof body === 'string' ? messageInStatus(body) : undefined
    const direct = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : undefined
    return `${error.code} ${direct ?? text ?? error.message}`
  }
  const inner = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return `${messageOf(error)}${inner}`
}

function messageInStatus(body: string): string | undefined {
  try {
    const status: unknown = JSON.parse(body)
    return typeof status === 'object' && status !== null && 'message' in status ? String(status.message) : undefined
  } catch {
    return undefined
  }
}
