import { abortable, messageOf } from '@ambit/core'
import { KubeApiError, KubeClient, resourcePath } from '@ambit/kube'
import { KubeConfig } from '@kubernetes/client-node'
import { ClusterError } from '../errors.ts'
import { asObject, asText } from '../json.ts'
import { POD_REQUEST_TIMEOUT_MS } from '../limits.ts'
import type {
  ApplyOptions,
  Cluster,
  ClusterObject,
  ListQuery,
  ObjectReference,
  PodRequest,
  PodResponse,
  PodStream,
} from './cluster.types.ts'
import { followOverStream, httpOverStream } from './http-over-stream.ts'
import { dialPod } from './port-forward.ts'
import { type ApiResource, ResourceIndex } from './resource-index.ts'

const FIELD_MANAGER = 'ambit'

export interface KubeClusterOptions {
  /** How long one request may take (--kubeclient-timeout). */
  readonly timeoutMs?: number | undefined
  /** Told each request and its time (--vklog). */
  readonly trace?: ((line: string) => void) | undefined
}

/** The cluster a kubeconfig names. */
export class KubeCluster implements Cluster {
  readonly #config: KubeConfig
  readonly #client: KubeClient
  readonly #resources: ResourceIndex
  readonly #timeoutMs: number | undefined
  readonly #trace: ((line: string) => void) | undefined

  constructor(config: KubeConfig, options: KubeClusterOptions = {}) {
    this.#config = config
    this.#client = new KubeClient(config)
    this.#resources = new ResourceIndex((path) => this.#client.request('GET', path, { signal: this.#signal() }))
    this.#timeoutMs = options.timeoutMs
    this.#trace = options.trace
  }

  get currentNamespace(): string {
    return this.#config.getContextObject(this.#config.getCurrentContext())?.namespace || 'default'
  }

  get currentContext(): string | undefined {
    return this.#config.getCurrentContext() || undefined
  }

  /** Reads the kubeconfig at `path`, else the one kubectl would use. */
  static fromKubeConfig(
    options: KubeClusterOptions & { readonly path?: string | undefined; readonly context?: string | undefined },
  ): KubeCluster {
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
    if (!URL.canParse(config.getCurrentCluster()?.server ?? '')) {
      const context = config.getCurrentContext() || 'none'
      throw new ClusterError(
        `the kubeconfig ${options.path ?? ''} names no cluster (current context: ${context}); is it one? kubectl config view shows it`,
      )
    }
    return new KubeCluster(config, options)
  }

  async list(query: ListQuery): Promise<readonly ClusterObject[]> {
    return await this.#explain(`list ${query.kind}`, async () => {
      const resource = await this.#resources.find(query.apiVersion, query.kind)
      const list = await this.#client.list(resource, query, this.#signal())
      return list.items as readonly ClusterObject[]
    })
  }

  async read(reference: ObjectReference): Promise<ClusterObject | undefined> {
    return await this.#explain(`read ${describe(reference)}`, async () => {
      const resource = await this.#resources.find(reference.apiVersion, reference.kind)
      const found = await this.#client.get(resource, placeOf(resource, reference), this.#signal())
      return found as ClusterObject | undefined
    })
  }

  async serverVersion(): Promise<string | undefined> {
    return await this.#explain('ask for the version', async () => {
      const answer = await this.#client.request('GET', '/version', { signal: this.#signal() })
      return asText(asObject(answer)['gitVersion']) || undefined
    })
  }

  async create(
    object: Readonly<Record<string, unknown>> & { readonly apiVersion: string; readonly kind: string },
  ): Promise<ClusterObject> {
    return await this.#explain(`create ${object.kind}`, async () => {
      const resource = await this.#resources.find(object.apiVersion, object.kind)
      const path = resourcePath(resource, {})
      return (await this.#client.request('POST', path, { body: object, signal: this.#signal() })) as ClusterObject
    })
  }

  async apply(object: ClusterObject, options: ApplyOptions): Promise<void> {
    const reference = {
      apiVersion: object.apiVersion ?? '',
      kind: object.kind ?? '',
      name: object.metadata.name,
      namespace: object.metadata.namespace,
    }
    await this.#explain(`apply ${describe(reference)}`, async () => {
      const resource = await this.#resources.find(reference.apiVersion, reference.kind)
      // Not through a typed client: its models drop what they do not know, such as a schema's x-kubernetes members.
      await this.#client.request('PATCH', resourcePath(resource, placeOf(resource, reference)), {
        body: object,
        contentType: 'application/apply-patch+yaml',
        query: {
          fieldManager: options.fieldManager ?? FIELD_MANAGER,
          force: options.force === false ? undefined : 'true',
          dryRun: options.dryRun ? 'All' : undefined,
        },
        signal: this.#signal(),
      })
    })
  }

  async mergePatch(reference: ObjectReference, patch: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#explain(`patch ${describe(reference)}`, async () => {
      const resource = await this.#resources.find(reference.apiVersion, reference.kind)
      const signal = this.#signal()
      const options = { fieldManager: FIELD_MANAGER, ...(signal === undefined ? {} : { signal }) }
      await this.#client.mergePatch(resource, placeOf(resource, reference), patch, options)
    })
  }

  async delete(reference: ObjectReference): Promise<boolean> {
    return await this.#explain(`delete ${describe(reference)}`, async () => {
      const resource = await this.#resources.find(reference.apiVersion, reference.kind)
      try {
        await this.#client.delete(resource, placeOf(resource, reference), this.#signal())
        return true
      } catch (error) {
        if (error instanceof KubeApiError && error.status === 404) return false
        throw error
      }
    })
  }

  async ask(asked: PodRequest): Promise<PodResponse> {
    const what = `port ${asked.port} of pod ${asked.pod}.${asked.namespace}`
    const signal = this.#signal() ?? AbortSignal.timeout(POD_REQUEST_TIMEOUT_MS)
    const connection = await this.#explain(`forward ${what}`, () => dialPod(this.#config, asked))
    return await httpOverStream(connection, { path: asked.path, method: asked.method ?? 'GET', what, signal })
  }

  async follow(asked: PodRequest, signal: AbortSignal): Promise<PodStream> {
    const what = `port ${asked.port} of pod ${asked.pod}.${asked.namespace}`
    const limit = this.#signal() ?? AbortSignal.timeout(POD_REQUEST_TIMEOUT_MS)
    const dialled = dialPod(this.#config, asked)
    const connection = await this.#explain(`forward ${what}`, () =>
      abortable(dialled, AbortSignal.any([signal, limit])),
    ).catch((error: unknown) => {
      // One that comes too late is nobody's.
      dialled.then(
        (late) => late.destroy(),
        () => undefined,
      )
      throw error
    })
    return await followOverStream(connection, { path: asked.path, method: asked.method ?? 'GET', what, signal, limit })
  }

  #signal(): AbortSignal | undefined {
    return this.#timeoutMs === undefined ? undefined : AbortSignal.timeout(this.#timeoutMs)
  }

  async #explain<T>(what: string, call: () => Promise<T>): Promise<T> {
    const started = performance.now()
    try {
      const result = await call()
      this.#trace?.(`${what}: done in ${Math.round(performance.now() - started)} ms`)
      return result
    } catch (cause) {
      this.#trace?.(`${what}: failed after ${Math.round(performance.now() - started)} ms`)
      const server = this.#config.getCurrentCluster()?.server ?? 'no cluster'
      throw new ClusterError(`cannot ${what} at ${server}: ${reasonOf(cause)}`, { cause })
    }
  }
}

function describe(reference: ObjectReference): string {
  const namespace = reference.namespace === undefined ? '' : `${reference.namespace}/`
  return `${reference.kind} ${namespace}${reference.name}`
}

/** Cluster-wide kinds take no namespace, namespaced ones default to `default` as with kubectl. */
function placeOf(resource: ApiResource, reference: ObjectReference): { name: string; namespace?: string } {
  if (!resource.namespaced) return { name: reference.name }
  return { name: reference.name, namespace: reference.namespace ?? 'default' }
}

/** The message with the system's own reason behind it, which some layers keep only as the cause. */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return `${messageOf(error)}${inner}`
}
