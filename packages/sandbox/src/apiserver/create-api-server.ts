import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Server } from 'node:net'
import type { Clock, Closable, Logger } from '@ambit/core'
import type { ServiceRanges } from './admission/service-allocator.ts'
import { ApiCore } from './api-core.ts'
import { ServiceAccountTokens } from './auth/service-account-tokens.ts'
import type { IssuedToken, IssueTokenOptions, ObjectClient, PodRuntime } from './contract.types.ts'
import { ApiHttpServer } from './http/api-http-server.ts'
import type { Journal } from './store/journal.types.ts'

export interface ApiServerOptions {
  /** Already listening; its connections become the API's. Not closed by the API server. */
  readonly server: Server
  readonly tls: {
    readonly certPem: string
    readonly keyPem: string
    /** Authority of client certificates: CN is the user, O the groups. */
    readonly clientCaPem: string
    /** What pods get as ca.crt; the client CA when absent. */
    readonly caPem?: string | undefined
  }
  /** Bearer token of the administrator, if there is to be one. */
  readonly adminToken?: string | undefined
  /** P-256 private key that signs service accounts' tokens; drawn when absent. */
  readonly tokenKeyPem?: string | undefined
  readonly serviceRanges?: ServiceRanges | undefined
  readonly journal?: Journal | undefined
  /** Objects of all kinds together, `MAX_OBJECTS` unless given. */
  readonly maxObjects?: number | undefined
  readonly runtime: PodRuntime
  readonly logger: Logger
  readonly clock: Clock
}

export interface ApiServer extends Closable {
  /** In-process client of the sandbox's controllers. */
  readonly client: ObjectClient
  /** The same under another name in managedFields. */
  clientNamed(manager: string): ObjectClient
  issueToken(options: IssueTokenOptions): Promise<IssuedToken>
}

/** Serves the Kubernetes API on the connections of a listening server. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { clock, logger, tls, adminToken } = options
  const { journal, serviceRanges, maxObjects } = options
  const core = new ApiCore({ clock, logger, caPem: tls.caPem ?? tls.clientCaPem, serviceRanges, journal, maxObjects })
  const tokens = new ServiceAccountTokens(tokenKey(options.tokenKeyPem), core.store, clock)
  const http = new ApiHttpServer({ core, tokens, runtime: options.runtime, logger, clock, tls, adminToken })
  http.serve(options.server)
  const close = async (): Promise<void> => {
    await http.close()
    core[Symbol.dispose]()
  }
  return {
    client: core.client('ambit-sandbox'),
    clientNamed: (manager) => core.client(manager),
    issueToken: async (request) => tokens.issue(request),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function tokenKey(pem: string | undefined): KeyObject {
  return pem === undefined ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : createPrivateKey(pem)
}
