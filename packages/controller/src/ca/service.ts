import { capb } from '@ambit/api'
import {
  type Counter,
  formatSpiffeId,
  type Logger,
  type Metrics,
  messageOf,
  parseSpiffeId,
  type SpiffeId,
} from '@ambit/core'
import { type CertificateAuthority, CsrRefusedError, TtlTooLongError } from '@ambit/identity'
import type { TokenCaller } from '@ambit/kube'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  type Metadata,
  type MethodDefinition,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { bearerTokenOf } from './bearer-token.ts'
import { authorizeImpersonation, type PodLookup } from './impersonation.ts'
import type { TokenAuthenticator } from './token-authenticator.ts'

export interface CaServiceComponents {
  /** Asked for at every call: the authority may be replaced. */
  readonly authority: () => CertificateAuthority
  readonly tokens: Pick<TokenAuthenticator, 'authenticate'>
  readonly pods: PodLookup
  readonly logger: Logger
  readonly metrics: Metrics
}

export interface CaServiceOptions {
  readonly trustedNodeAccounts: readonly string[]
  readonly trustDomain: () => string
}

type Request = capb.IstioCertificateRequest
type Response = capb.IstioCertificateResponse

export const CREATE_CERTIFICATE: MethodDefinition<Request, Response> = {
  path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => Buffer.from(toBinary(capb.IstioCertificateRequestSchema, message)),
  requestDeserialize: (bytes) => fromBinary(capb.IstioCertificateRequestSchema, bytes),
  responseSerialize: (message) => Buffer.from(toBinary(capb.IstioCertificateResponseSchema, message)),
  responseDeserialize: (bytes) => fromBinary(capb.IstioCertificateResponseSchema, bytes),
}

/** Told to every refused caller alike; the log says why. */
export const REFUSED = 'request authenticate failure'

/** A call's failure as the caller sees it. */
interface Refusal {
  readonly code: status
  readonly details: string
}

type IdentityVerdict =
  | { readonly allowed: true; readonly identity: SpiffeId }
  | { readonly allowed: false; readonly reason: string }

/** `IstioCertificateService`: signs for who the caller proves to be, or for pods of the node it proxies. */
export class CaService {
  readonly service: ServiceDefinition = { CreateCertificate: CREATE_CERTIFICATE }
  readonly implementation: UntypedServiceImplementation = {
    CreateCertificate: (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) =>
      void this.#answer(call, callback),
  }
  readonly #parts: CaServiceComponents
  readonly #options: CaServiceOptions
  readonly #logger: Logger
  readonly #issued: Counter
  readonly #refused: Counter

  constructor(components: CaServiceComponents, options: CaServiceOptions) {
    this.#parts = components
    this.#options = options
    this.#logger = components.logger.scope('ca')
    this.#issued = components.metrics.counter({
      name: 'citadel_server_success_cert_issuance_count',
      help: 'Certificates issued',
    })
    this.#refused = components.metrics.counter({
      name: 'citadel_server_authentication_failure_count',
      help: 'Certificate requests of callers that were refused',
    })
  }

  /** Counts and logs who was turned away. */
  noteRefusal(peer: string, reason: string): void {
    this.#refused.add({})
    this.#logger.warn('certificate request refused', { peer, reason })
  }

  async #answer(call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): Promise<void> {
    try {
      const outcome = await this.#create(call.request, call.metadata, call.getPeer())
      if ('code' in outcome) callback(outcome)
      else callback(null, outcome)
    } catch (error) {
      this.#logger.error(`certificate request failed: ${messageOf(error)}`, { peer: call.getPeer() })
      callback({ code: status.INTERNAL, details: 'internal error' })
    }
  }

  async #create(request: Request, metadata: Metadata, peer: string): Promise<Response | Refusal> {
    const verdict = await this.#identify(request, metadata).catch((error: unknown): IdentityVerdict => {
      return { allowed: false, reason: `the caller could not be verified: ${messageOf(error)}` }
    })
    if (!verdict.allowed) {
      this.noteRefusal(peer, verdict.reason)
      return { code: status.UNAUTHENTICATED, details: REFUSED }
    }
    const identity = formatSpiffeId(verdict.identity)
    try {
      const ttlSeconds = Number(request.validityDuration)
      const asked = { csrPem: request.csr, identity: verdict.identity, ttlSeconds }
      const chain = await this.#parts.authority().signInPool(asked)
      this.#issued.add({})
      this.#logger.debug('certificate issued', { identity, peer })
      return create(capb.IstioCertificateResponseSchema, { certChain: [...chain] })
    } catch (error) {
      this.#logger.warn(`certificate not issued: ${messageOf(error)}`, { identity, peer })
      const wrong = error instanceof CsrRefusedError || error instanceof TtlTooLongError
      return { code: wrong ? status.INVALID_ARGUMENT : status.INTERNAL, details: messageOf(error) }
    }
  }

  async #identify(request: Request, metadata: Metadata): Promise<IdentityVerdict> {
    const token = bearerTokenOf(metadata)
    if (token === undefined) return { allowed: false, reason: 'no bearer token' }
    const verdict = await this.#parts.tokens.authenticate(token)
    if (!verdict.authenticated) return { allowed: false, reason: verdict.reason }
    const impersonated = request.metadata?.['ImpersonatedIdentity']
    if (impersonated === undefined) return { allowed: true, identity: this.#own(verdict.caller) }
    const identity = typeof impersonated === 'string' ? parseSpiffeId(impersonated) : undefined
    if (identity === undefined) return { allowed: false, reason: 'the impersonated identity is no SPIFFE id' }
    const { trustedNodeAccounts } = this.#options
    const may = await authorizeImpersonation(verdict.caller, identity, trustedNodeAccounts, this.#parts.pods)
    return may.allowed ? { allowed: true, identity } : may
  }

  #own({ namespace, serviceAccount }: TokenCaller): SpiffeId {
    return { trustDomain: this.#options.trustDomain(), namespace, serviceAccount }
  }
}
