import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server as HttpsServer } from 'node:https'
import type { Server as NetServer, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Clock, Logger } from '@ambit/core'
import type { ApiCore } from '../api-core.ts'
import { adminUserOf, authenticate } from '../auth/authenticate.ts'
import { impersonate } from '../auth/impersonate.ts'
import { authorize } from '../auth/rbac.ts'
import { ISSUER, type ServiceAccountTokens } from '../auth/service-account-tokens.ts'
import type { PodRuntime } from '../contract.types.ts'
import { MAX_CONNECTIONS, MAX_HEADER_BYTES, MAX_STREAM_SESSIONS, REQUEST_TIMEOUT_MS } from '../limits.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import type { UserInfo } from '../resources/request-context.ts'
import type { ResourceDefinition, ScalePaths } from '../resources/resource-definition.ts'
import { badRequest, noSuchResource, notFound, StatusError } from '../status-error.ts'
import { evict } from '../subresources/eviction.ts'
import { bindPod, requestToken } from '../subresources/object-actions.ts'
import { streamLog } from '../subresources/pod-log.ts'
import { answerReview } from '../subresources/reviews.ts'
import { toScale, withScale } from '../subresources/scale.ts'
import { aggregatedVersion } from './accept.ts'
import {
  aggregatedDiscovery,
  apiGroupList,
  apiGroupOf,
  apiResourceList,
  apiVersions,
  VIRTUAL_RESOURCES,
} from './discovery.ts'
import { openApiDocument, openApiIndex } from './openapi.ts'
import { openApiV2 } from './openapi-v2.ts'
import { bodyObject, decodeBody, parseJson, parseYaml, readBody } from './read-body.ts'
import { parseResourcePath, type RequestInfo, verbOf } from './request-info.ts'
import { contextOf, isTrue, methodNotAllowed, ResourceHandler, targetOf } from './resource-handler.ts'
import { respond, respondBytes, respondError, respondText, statusOf } from './respond.ts'
import { UpgradeHandler } from './upgrade-handler.ts'

export interface ApiHttpComponents {
  readonly core: ApiCore
  readonly tokens: ServiceAccountTokens
  readonly runtime: PodRuntime
  readonly logger: Logger
  readonly clock: Clock
  readonly tls: { readonly certPem: string; readonly keyPem: string; readonly clientCaPem: string }
  readonly adminToken: string | undefined
}

/** What the sandbox calls itself: a Kubernetes of that minor version. */
const VERSION = {
  major: '1',
  minor: '33',
  gitVersion: 'v1.33.0+ambit',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2026-11-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
}

/** Paths that answer without knowing who asks. */
const PUBLIC = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/'])

const STREAMS = new Set(['exec', 'attach', 'portforward'])

/** The API over HTTPS: who asks, whether they may, and which part answers. */
export class ApiHttpServer {
  readonly #c: ApiHttpComponents
  readonly #server: HttpsServer
  readonly #resources: ResourceHandler
  readonly #upgrades: UpgradeHandler
  readonly #sockets = new Set<Socket>()
  #logs = 0
  #detach: (() => void) | undefined

  constructor(components: ApiHttpComponents) {
    this.#c = components
    const { core, clock, logger, runtime, tls } = components
    this.#resources = new ResourceHandler(core.service, core.admitted, clock)
    this.#upgrades = new UpgradeHandler(runtime, clock)
    this.#server = createServer({
      cert: tls.certPem,
      key: tls.keyPem,
      ca: tls.clientCaPem,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
    })
    this.#server.on('request', (request, response) => void this.#onRequest(request, response))
    this.#server.on('upgrade', (request, socket, head) => void this.#onUpgrade(request, socket, head))
    this.#server.on('tlsClientError', (error, socket) => {
      logger.debug('TLS handshake on the API port failed', { error: error.message })
      socket.destroy()
    })
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request'
      if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`)
      else socket.destroy()
    })
  }

  /** Takes the connections of a listening server. */
  serve(server: NetServer): void {
    const onConnection = (socket: Socket): void => {
      if (this.#sockets.size >= MAX_CONNECTIONS) {
        socket.destroy()
        return
      }
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
      socket.setNoDelay(true)
      this.#server.emit('connection', socket)
    }
    server.on('connection', onConnection)
    this.#detach = () => server.off('connection', onConnection)
  }

  async close(): Promise<void> {
    this.#detach?.()
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = parseUrl(request)
      const user = this.#admit(request, url)
      response.on('error', () => {})
      await this.#route(request, response, url, user)
    } catch (error) {
      // The rest of a body nobody reads would keep the connection busy.
      if (!request.complete) response.shouldKeepAlive = false
      respondError(response, statusOf(error, this.#c.logger, request))
    }
  }

  async #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => {})
    try {
      const url = parseUrl(request)
      this.#admit(request, url)
      const info = parseResourcePath(url.pathname)
      if (info === undefined || info.group !== '' || info.resource !== 'pods' || !STREAMS.has(info.subresource))
        throw noSuchResource()
      this.#podOf(info)
      await this.#upgrades.handle(request, socket, head, info, url.searchParams)
    } catch (error) {
      const status = statusOf(error, this.#c.logger, request)
      const body = JSON.stringify(status.toStatus())
      const length = Buffer.byteLength(body)
      socket.end(
        `HTTP/1.1 ${status.status} ${status.reason}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n${body}`,
      )
    }
  }

  /** Who it is, and whether they may; 401 and 403 otherwise. */
  #admit(request: IncomingMessage, url: URL): UserInfo {
    const { core, tokens, adminToken } = this.#c
    const socket = request.socket instanceof TLSSocket ? request.socket : undefined
    const who = authenticate(socket, request.headers.authorization, adminToken, tokens)
    if (!who.ok) throw new StatusError(401, 'Unauthorized', 'Unauthorized')
    const user = impersonate(core.store, who.user, request.headersDistinct)
    if (PUBLIC.has(url.pathname)) return user
    const info = parseResourcePath(url.pathname)
    const watch = isTrue(url.searchParams.get('watch'))
    const verb =
      info === undefined ? (request.method ?? 'GET').toLowerCase() : verbOf(request.method ?? 'GET', info, watch)
    const verdict = authorize(core.store, user, { verb, resource: info, path: url.pathname })
    if (verdict.allowed) return user
    if (user.groups.includes('system:unauthenticated')) throw new StatusError(401, 'Unauthorized', 'Unauthorized')
    throw denied(user, verb, info, url.pathname)
  }

  async #route(request: IncomingMessage, response: ServerResponse, url: URL, user: UserInfo): Promise<void> {
    const info = parseResourcePath(url.pathname)
    if (info !== undefined) return await this.#resource(request, response, url, user, info)
    if (request.method !== 'GET' && request.method !== 'HEAD') throw noSuchResource()
    const { registry } = this.#c.core
    const path = url.pathname.replace(/(.)\/$/, '$1')
    switch (path) {
      case '/healthz':
      case '/livez':
      case '/readyz':
        return respondText(response, 200, url.searchParams.has('verbose') ? healthReport(path) : 'ok')
      case '/healthz/ping':
      case '/livez/ping':
      case '/readyz/ping':
        return respondText(response, 200, 'ok')
      case '/version':
        return respond(response, 200, VERSION)
      case '/api':
      case '/apis': {
        const version = aggregatedVersion(request.headers.accept)
        if (version === undefined)
          return respond(response, 200, path === '/api' ? apiVersions() : apiGroupList(registry))
        const contentType = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
        return respond(response, 200, aggregatedDiscovery(registry, path === '/api', version), { contentType })
      }
      case '/openapi/v2':
        return respondBytes(response, openApiV2(request.headers.accept))
      case '/openapi/v3':
        return respond(response, 200, openApiIndex(registry))
      case '/openid/v1/jwks':
        return respond(response, 200, this.#c.tokens.jwks(), { contentType: 'application/jwk-set+json' })
      case '/.well-known/openid-configuration':
        return respond(response, 200, {
          issuer: ISSUER,
          jwks_uri: `${ISSUER}/openid/v1/jwks`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
        })
      default:
        return this.#document(response, path)
    }
  }

  /** Discovery and OpenAPI of one group. */
  #document(response: ServerResponse, path: string): void {
    const { registry } = this.#c.core
    const match = /^(\/openapi\/v3)?\/(?:api|apis\/([-a-z0-9.]+))(?:\/(v\d\w*))?$/.exec(path)
    const group = match?.[2] ?? ''
    const version = match?.[3]
    if (match === null) throw noSuchResource()
    const found = version === undefined ? apiGroupOf(registry, group) : apiResourceList(registry, group, version)
    if (found === undefined) throw noSuchResource()
    if (match[1] !== undefined && version !== undefined)
      return respond(response, 200, openApiDocument(registry, group, version))
    respond(response, 200, found)
  }

  async #resource(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    user: UserInfo,
    info: RequestInfo,
  ): Promise<void> {
    const { core } = this.#c
    const body = request.method === 'GET' || request.method === 'HEAD' ? Buffer.alloc(0) : await readBody(request)
    const contentType = request.headers['content-type']
    const decodeAny = (): unknown => decodeBody(body, contentType, undefined, core.types)
    if (VIRTUAL_RESOURCES.some((item) => item.group === info.group && item.resource === info.resource)) {
      if (info.version !== 'v1') throw noSuchResource()
      if (request.method !== 'POST') throw methodNotAllowed()
      const components = {
        store: core.store,
        tokens: this.#c.tokens,
        adminUser: (token: string) => adminUserOf(this.#c.adminToken, token),
      }
      return respond(
        response,
        201,
        answerReview(components, info.resource, info.namespace, user, bodyObject(decodeAny())),
      )
    }
    const definition = core.registry.find(info.group, info.version, info.resource)
    if (definition === undefined) throw noSuchResource()
    if (!definition.namespaced && info.namespace !== '') throw noSuchResource()
    const input = {
      request,
      response,
      info,
      definition,
      query: url.searchParams,
      user,
      body,
      decode: () => {
        if (request.method === 'DELETE') return decodeAny()
        const value = decodeBody(
          body,
          contentType,
          definition.custom === undefined ? definition.type(info.version) : undefined,
          core.types,
        )
        if (value === undefined) throw badRequest('the request has no body')
        return value
      },
      decodePatch: (media: string) => (media.endsWith('yaml') ? parseYaml(body.toString('utf8')) : parseJson(body)),
    }
    if (await this.#subresource(input, definition, decodeAny)) return
    if (info.name !== '' && definition.namespaced && info.namespace === '')
      throw badRequest('the path names an object but no namespace')
    await this.#resources.handle(input)
  }

  /** Subresources that aren't views of the stored object; true when it was one. */
  async #subresource(
    input: Parameters<ResourceHandler['handle']>[0],
    definition: ResourceDefinition,
    decodeAny: () => unknown,
  ): Promise<boolean> {
    const { info, request, response } = input
    const { core, tokens } = this.#c
    const key = `${info.group}/${info.resource}/${info.subresource}`
    const scale = info.subresource === 'scale' ? definition.scale(info.version) : undefined
    if (scale !== undefined) {
      await this.#scale(input, scale)
      return true
    }
    const target = { definition, version: info.version, namespace: info.namespace, name: info.name }
    switch (key) {
      case '/pods/log':
        if (request.method !== 'GET') throw methodNotAllowed()
        this.#podOf(info)
        if (this.#logs >= MAX_STREAM_SESSIONS)
          throw new StatusError(
            429,
            'TooManyRequests',
            `the sandbox serves ${MAX_STREAM_SESSIONS} log streams at a time`,
          )
        this.#logs++
        try {
          await streamLog(
            this.#c.runtime,
            this.#c.clock,
            { namespace: info.namespace, pod: info.name },
            input.query,
            request,
            response,
          )
        } finally {
          this.#logs--
        }
        return true
      case '/pods/exec':
      case '/pods/attach':
      case '/pods/portforward':
        throw badRequest('Upgrade request required')
      case '/pods/eviction':
        if (request.method !== 'POST') throw methodNotAllowed()
        respond(
          response,
          201,
          await evict(core, target, bodyObject(decodeAny()), contextOf(input, 'unknown'), this.#c.clock.now()),
        )
        return true
      case '/pods/binding':
        if (request.method !== 'POST') throw methodNotAllowed()
        respond(response, 201, bindPod(core.service, target, bodyObject(decodeAny()), contextOf(input, 'unknown')))
        return true
      case '/serviceaccounts/token':
        if (request.method !== 'POST') throw methodNotAllowed()
        respond(response, 201, requestToken(core.service, tokens, info.namespace, info.name, bodyObject(decodeAny())))
        return true
      default:
        return false
    }
  }

  async #scale(input: Parameters<ResourceHandler['handle']>[0], paths: ScalePaths): Promise<void> {
    const { request, response, info } = input
    const { service, admitted } = this.#c.core
    const target = targetOf({ ...input, info: { ...info, subresource: '' } })
    if (request.method === 'GET') return respond(response, 200, toScale(service.get(target), paths))
    const context = contextOf(input, 'unknown')
    if (request.method === 'PUT') {
      const scale = decodeBody(input.body, request.headers['content-type'], undefined, this.#c.core.types)
      return respond(
        response,
        200,
        toScale(await admitted.patch(target, (object) => withScale(object, scale, paths), context), paths),
      )
    }
    if (request.method !== 'PATCH') throw methodNotAllowed()
    const media = request.headers['content-type']?.split(';', 1)[0]?.trim() ?? ''
    const patch = input.decodePatch(media)
    const changed = await admitted.patch(
      target,
      (object) =>
        withScale(
          object,
          media === 'application/json-patch+json'
            ? applyJsonPatch(toScale(object, paths), patch)
            : applyMergePatch(toScale(object, paths), patch),
          paths,
        ),
      context,
    )
    respond(response, 200, toScale(changed, paths))
  }

  #podOf(info: RequestInfo): void {
    if (this.#c.core.store.get('/pods', info.namespace, info.name) === undefined) throw notFound('', 'pods', info.name)
  }
}

/** What `?verbose` asks for: one check, that of answering at all. */
function healthReport(path: string): string {
  return `[+]ping ok\n${path.slice(1)} check passed\n`
}

function parseUrl(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '/', 'https://api')
  if (url === null) throw badRequest('the path is not a URL')
  return url
}

function denied(user: UserInfo, verb: string, info: RequestInfo | undefined, path: string): StatusError {
  if (info === undefined)
    return new StatusError(403, 'Forbidden', `forbidden: User "${user.username}" cannot ${verb} path "${path}"`)
  const full = info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`
  const where = info.namespace === '' ? 'at the cluster scope' : `in the namespace "${info.namespace}"`
  const name = info.name === '' ? '' : ` "${info.name}"`
  const qualified = info.group === '' ? info.resource : `${info.resource}.${info.group}`
  return new StatusError(
    403,
    'Forbidden',
    `${qualified}${name} is forbidden: User "${user.username}" cannot ${verb} resource "${full}" in API group "${info.group}" ${where}`,
    { name: info.name, group: info.group, kind: info.resource },
  )
}
