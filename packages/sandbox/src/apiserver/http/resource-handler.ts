import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '@ambit/core'
import type { DeleteOptions, KubeObject } from '../contract.types.ts'
import { at, isObject, type JsonObject, textOf } from '../json.ts'
import { DELETE_SLICE, MAX_LIST_SNAPSHOTS, MAX_WATCHES } from '../limits.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import { applyStrategicMerge } from '../patch/strategic-merge.ts'
import type { AdmittedService } from '../resources/admitted-service.ts'
import type { ApiService } from '../resources/api-service.ts'
import type { RequestContext, UserInfo } from '../resources/request-context.ts'
import { apiVersionOf, type ResourceDefinition, storageKey } from '../resources/resource-definition.ts'
import { inVersion, type Target } from '../resources/target.ts'
import { badRequest, hasStatus, noSuchResource, StatusError } from '../status-error.ts'
import { ListPages } from '../store/list-pages.ts'
import { type Predicate, parseFieldSelector, parseLabelSelector } from '../store/selectors.ts'
import { partialMetadata, tableParts, toTable } from '../tables/table.ts'
import { includeOf, negotiate } from './accept.ts'
import type { RequestInfo } from './request-info.ts'
import { respond } from './respond.ts'
import { respondList } from './respond-list.ts'
import { streamWatch, tooManyWatches } from './watch-response.ts'

export interface ResourceRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly info: RequestInfo
  readonly definition: ResourceDefinition
  readonly query: URLSearchParams
  readonly user: UserInfo
  /** Decoded lazily: PATCH bodies are read by their own media types. */
  readonly body: Buffer
  decode(): unknown
  decodePatch(media: string): unknown
}

/** The verbs of stored objects over HTTP. */
export class ResourceHandler {
  readonly #service: ApiService
  readonly #admitted: AdmittedService
  readonly #clock: Clock
  readonly #pages = new ListPages(MAX_LIST_SNAPSHOTS)
  #watches = 0

  constructor(service: ApiService, admitted: AdmittedService, clock: Clock) {
    this.#service = service
    this.#admitted = admitted
    this.#clock = clock
  }

  async handle(input: ResourceRequest): Promise<void> {
    const { info, request } = input
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        if (isTrue(input.query.get('watch'))) return await this.#watch(input)
        return info.name === '' ? await this.#list(input) : this.#get(input)
      case 'POST':
        if (info.name !== '') throw methodNotAllowed()
        return await this.#create(input)
      case 'PUT':
        return await this.#update(input)
      case 'PATCH':
        return await this.#patch(input)
      case 'DELETE':
        return info.name === '' ? await this.#deleteCollection(input) : await this.#delete(input)
      default:
        throw methodNotAllowed()
    }
  }

  #get(input: ResourceRequest): void {
    this.#answer(input, 200, this.#service.get(targetOf(input)), [])
  }

  async #list(input: ResourceRequest): Promise<void> {
    const { definition, info, query, request, response } = input
    const limit = Number(query.get('limit') ?? 0) || 0
    const token = query.get('continue') ?? ''
    const { store } = this.#service
    const namespace = definition.namespaced && info.namespace !== '' ? info.namespace : undefined
    const wanted = query.get('resourceVersion')
    if (wanted && wanted !== '0' && Number(wanted) > store.revision)
      throw new StatusError(504, 'Timeout', `Too large resource version: ${wanted}, current: ${store.revision}`, {
        retryAfterSeconds: 1,
      })
    const page =
      token !== ''
        ? this.#pages.next(token, limit)
        : this.#pages.first(
            store.list(storageKey(definition), namespace).filter(selection(input)),
            String(store.revision),
            limit,
          )
    const metadata: JsonObject = { resourceVersion: page.resourceVersion }
    if (page.continue !== undefined) {
      metadata['continue'] = page.continue
      metadata['remainingItemCount'] = page.remaining
    }
    const { version } = info
    const shown = (object: KubeObject): KubeObject => inVersion(object, { definition, version })
    const representation = negotiate(request.headers.accept)
    if (representation.kind === 'table') {
      const options = { nowMs: this.#clock.now(), include: includeOf(query), withColumns: true }
      const { envelope, row } = tableParts(definition, version, metadata, options)
      return await respondList(response, envelope, 'rows', page.items, (object) => row(shown(object)))
    }
    if (representation.kind === 'metadata') {
      const envelope = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata }
      return await respondList(response, envelope, 'items', page.items, (object) => partialMetadata(object))
    }
    const envelope = { kind: `${definition.kind}List`, apiVersion: apiVersionOf(definition.group, version), metadata }
    if (representation.yaml)
      return respond(response, 200, { ...envelope, items: page.items.map(shown) }, { yaml: true })
    await respondList(response, envelope, 'items', page.items, shown)
  }

  async #watch(input: ResourceRequest): Promise<void> {
    const { definition, info, query, request, response } = input
    if (this.#watches >= MAX_WATCHES) throw tooManyWatches(MAX_WATCHES)
    const seconds = Number(query.get('timeoutSeconds') ?? 0)
    this.#watches++
    try {
      await streamWatch(this.#service.store, this.#clock, request, response, {
        definition,
        version: info.version,
        namespace: definition.namespaced && info.namespace !== '' ? info.namespace : undefined,
        predicate: selection(input),
        resourceVersion: query.get('resourceVersion') ?? undefined,
        bookmarks: isTrue(query.get('allowWatchBookmarks')),
        sendInitialEvents: isTrue(query.get('sendInitialEvents')),
        timeoutMs: seconds > 0 ? seconds * 1000 : undefined,
        representation: negotiate(request.headers.accept),
        include: includeOf(query),
      })
    } finally {
      this.#watches--
    }
  }

  async #create(input: ResourceRequest): Promise<void> {
    const context = contextOf(input, 'unknown')
    const created = await this.#admitted.create(targetOf(input), input.decode(), context)
    this.#answer(input, 201, created, context.warnings)
  }

  async #update(input: ResourceRequest): Promise<void> {
    if (input.info.name === '') throw methodNotAllowed()
    const context = contextOf(input, 'unknown')
    const updated = await this.#admitted.update(targetOf(input), input.decode(), context)
    this.#answer(input, 200, updated, context.warnings)
  }

  async #patch(input: ResourceRequest): Promise<void> {
    if (input.info.name === '') throw methodNotAllowed()
    const media = input.request.headers['content-type']?.split(';', 1)[0]?.trim() ?? ''
    const patch = input.decodePatch(media)
    const target = targetOf(input)
    if (media === 'application/apply-patch+yaml') {
      const manager = input.query.get('fieldManager')
      if (!manager) throw badRequest('fieldManager: Required value: is required for apply patch')
      const context = { ...contextOf(input, manager), force: isTrue(input.query.get('force')) }
      const existed = this.#service.store.get(storageKey(input.definition), target.namespace, target.name) !== undefined
      const applied = await this.#admitted.apply(target, patch, context)
      return this.#answer(input, existed ? 200 : 201, applied, context.warnings)
    }
    const context = contextOf(input, 'unknown')
    const change = changeOf(media, patch, input)
    this.#answer(input, 200, await this.#admitted.patch(target, change, context), context.warnings)
  }

  async #delete(input: ResourceRequest): Promise<void> {
    const options = deleteOptionsOf(input)
    const context = contextOf(input, 'unknown', options)
    const { object, gone } = await this.#admitted.delete(targetOf(input), options, context)
    const { definition, info, response } = input
    if (!gone) return this.#answer(input, 200, object, [])
    const details = {
      name: info.name,
      ...(definition.group === '' ? {} : { group: definition.group }),
      kind: definition.resource,
      uid: object.metadata.uid,
    }
    respond(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details })
  }

  async #deleteCollection(input: ResourceRequest): Promise<void> {
    const { definition, info, response } = input
    const options = deleteOptionsOf(input)
    const context = contextOf(input, 'unknown', options)
    const namespace = definition.namespaced && info.namespace !== '' ? info.namespace : undefined
    if (definition.namespaced && namespace === undefined) throw methodNotAllowed()
    const selected = this.#service.store.list(storageKey(definition), namespace).filter(selection(input))
    for (const [index, object] of selected.entries()) {
      const { name = '', uid } = object.metadata
      try {
        await this.#admitted.delete({ ...targetOf(input), name }, { ...options, preconditions: { uid } }, context)
      } catch (error) {
        // Somebody else deleted it meanwhile, or made another of its name.
        if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
      }
      // Others have their turn, above all watches that are to be told.
      if (index % DELETE_SLICE === DELETE_SLICE - 1) await nextTurn()
    }
    const apiVersion = apiVersionOf(definition.group, info.version)
    const metadata = { resourceVersion: String(this.#service.store.revision) }
    const envelope = { kind: `${definition.kind}List`, apiVersion, metadata }
    await respondList(response, envelope, 'items', selected, (object) =>
      inVersion(object, { definition, version: info.version }),
    )
  }

  #answer(input: ResourceRequest, status: number, object: KubeObject, warnings: readonly string[]): void {
    const { definition, info, query, request, response } = input
    const representation = negotiate(request.headers.accept)
    if (representation.kind === 'table') {
      const meta = { resourceVersion: object.metadata.resourceVersion }
      const options = { nowMs: this.#clock.now(), include: includeOf(query), withColumns: true }
      return respond(response, status, toTable(definition, info.version, [object], meta, options), { warnings })
    }
    const body = representation.kind === 'metadata' ? partialMetadata(object) : object
    respond(response, status, body, { warnings, yaml: representation.kind === 'object' && representation.yaml })
  }
}

function isPart(subresource: string): subresource is NonNullable<Target['subresource']> {
  return ['status', 'finalize', 'ephemeralcontainers'].includes(subresource)
}

export function targetOf({ definition, info }: Pick<ResourceRequest, 'definition' | 'info'>): Target {
  const { subresource } = info
  if (subresource !== '' && !isPart(subresource)) throw noSuchResource()
  if (subresource === 'status' && !definition.status.has(info.version)) throw noSuchResource()
  if (subresource === 'finalize' && definition.resource !== 'namespaces') throw noSuchResource()
  if (subresource === 'ephemeralcontainers' && definition.kind !== 'Pod') throw noSuchResource()
  const namespace = definition.namespaced ? info.namespace : undefined
  return {
    definition,
    version: info.version,
    namespace,
    name: info.name,
    subresource: subresource === '' ? undefined : subresource,
  }
}

/** The request's part of the rules; the manager falls back to the program's name as in Kubernetes. */
export function contextOf(
  input: Pick<ResourceRequest, 'query' | 'request' | 'user'>,
  fallback: string,
  options?: { readonly dryRun?: unknown },
): RequestContext {
  const { query, request, user } = input
  const agent = (request.headers['user-agent'] ?? '').split('/', 1)[0] ?? ''
  const validation = query.get('fieldValidation')
  const dryRun = query.get('dryRun') ?? options?.dryRun
  if (dryRun !== null && dryRun !== undefined && textOf(dryRun) !== '' && textOf(dryRun) !== 'All')
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(textOf(dryRun))}: supported values: "All"`)
  const manager = query.get('fieldManager') || agent || fallback
  if (manager.length > 128) throw badRequest('fieldManager: Too long: may not be more than 128 bytes')
  return {
    user,
    manager,
    fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
    dryRun: textOf(dryRun ?? '') === 'All',
    warnings: [],
  }
}

function selection({ definition, info, query }: ResourceRequest): Predicate {
  const labels = parseLabelSelector(query.get('labelSelector') ?? undefined)
  const fields = parseFieldSelector(definition.kind, query.get('fieldSelector') ?? undefined)
  return (object) => labels(object) && fields(object) && (info.name === '' || object.metadata.name === info.name)
}

function changeOf(media: string, patch: unknown, input: ResourceRequest): (current: KubeObject) => unknown {
  const { definition, info } = input
  switch (media) {
    case 'application/json-patch+json':
      return (current) => applyJsonPatch(current, patch)
    case 'application/merge-patch+json':
    case 'application/json':
      if (!isObject(patch)) throw badRequest('a merge patch must be an object')
      return (current) => applyMergePatch(current, patch)
    case 'application/strategic-merge-patch+json':
      if (definition.custom !== undefined)
        throw unsupportedPatch('strategic merge patch is not supported for custom resources')
      return (current) => applyStrategicMerge(definition.type(info.version), current, patch)
    default:
      throw unsupportedPatch(`the patch type ${JSON.stringify(media)} is unknown`)
  }
}

function unsupportedPatch(why: string): StatusError {
  return new StatusError(
    415,
    'UnsupportedMediaType',
    `${why} - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml`,
  )
}

function deleteOptionsOf(input: ResourceRequest): DeleteOptions & { readonly dryRun?: unknown } {
  const { query } = input
  const body = input.body.length > 0 ? input.decode() : {}
  const grace =
    at(body, 'gracePeriodSeconds') ??
    (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined)
  const policy = at(body, 'propagationPolicy') ?? query.get('propagationPolicy') ?? undefined
  if (policy !== undefined && policy !== 'Foreground' && policy !== 'Background' && policy !== 'Orphan')
    throw badRequest(
      `propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan"`,
    )
  const orphan = at(body, 'orphanDependents')
  const dryRun = at(body, 'dryRun')
  return {
    gracePeriodSeconds: typeof grace === 'number' && Number.isFinite(grace) ? grace : undefined,
    propagationPolicy: policy ?? (orphan === true ? 'Orphan' : undefined),
    preconditions: at(body, 'preconditions') as DeleteOptions['preconditions'],
    ...(Array.isArray(dryRun) && dryRun.length > 0 ? { dryRun: dryRun[0] as unknown } : {}),
  }
}

export function isTrue(value: string | null): boolean {
  return value === 'true' || value === '1'
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource')
}
