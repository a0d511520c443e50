import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { checkServerIdentity, createSecureContext, type PeerCertificate, rootCertificates } from 'node:tls'
import { capb } from '@ambit/api'
import { boundHandshakes, type Closable, codeOf, formatSpiffeId, type Logger, messageOf, parseIp } from '@ambit/core'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  Client,
  type ClientUnaryCall,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import type { CaClient, CertificateRequest } from './ca-client.types.ts'
import { CA_CALL_TIMEOUT_MS, CA_CONNECT_TIMEOUT_MS, CA_KEEPALIVE_MS, CA_KEEPALIVE_TIMEOUT_MS } from './defaults.ts'
import { CaRefusedError, CaTokenError, CaUnavailableError } from './errors.ts'
import { MAX_CA_RESPONSE_BYTES, MAX_PEM_BUNDLE_BYTES, MAX_TOKEN_BYTES } from './limits.ts'

/** Roots that the CA's own serving certificate is verified with. Files are read again for every call. */
export type RootSource = { readonly file: string } | { readonly pem: string } | 'SYSTEM'
export type TokenSource = { readonly file: string } | { readonly token: string } | 'none'

export interface GrpcCaClientOptions {
  /** `https://host:port` or `host:port`; there is no plain text variant. */
  readonly address: string
  readonly root: RootSource
  readonly token: TokenSource
  readonly clusterId: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** A second name that the server's certificate may have (`ALT_CA_HOSTNAME`). */
  readonly altHostname?: string | undefined
  /** Shared mode: names the workload in the request, for which this process must be a trusted node account. */
  readonly impersonate: boolean
  readonly connectTimeoutMs?: number | undefined
  readonly callTimeoutMs?: number | undefined
}

const METHOD = '/istio.v1.auth.IstioCertificateService/CreateCertificate'
/** Where the CA is an address: the name it has in every installation. */
const SERVER_NAME_FOR_ADDRESSES = 'istiod.istio-system.svc'
const IMPERSONATED_IDENTITY = 'ImpersonatedIdentity'
/** Answers that a retry alone does not change. */
const REFUSALS: ReadonlySet<number> = new Set([
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.INVALID_ARGUMENT,
  status.FAILED_PRECONDITION,
  status.UNIMPLEMENTED,
])

/** One channel, made for one set of roots. */
interface Channel {
  readonly client: Client
  readonly rootsDigest: string
  calls: number
  retired: boolean
}

/** `IstioCertificateService/CreateCertificate` over TLS. */
export class GrpcCaClient implements CaClient, Closable {
  readonly #options: GrpcCaClientOptions
  readonly #target: string
  readonly #logger: Logger
  #channel: Channel | undefined

  constructor(components: { readonly logger: Logger }, options: GrpcCaClientOptions) {
    this.#logger = components.logger.scope('ca-client')
    this.#options = options
    this.#target = targetOf(options.address)
  }

  async createCertificate(request: CertificateRequest): Promise<readonly string[]> {
    request.signal?.throwIfAborted()
    const metadata = await this.#metadata()
    const channel = this.#channelFor(await this.#roots())
    const message = create(capb.IstioCertificateRequestSchema, {
      csr: request.csrPem,
      validityDuration: BigInt(Math.floor(request.ttlSeconds)),
      ...(this.#options.impersonate ? { metadata: { [IMPERSONATED_IDENTITY]: formatSpiffeId(request.identity) } } : {}),
    })
    const answer = await this.#call(channel, metadata, message, request.signal)
    return answer.certChain
  }

  close(): Promise<void> {
    if (this.#channel !== undefined) this.#retire(this.#channel)
    return Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #metadata(): Promise<Metadata> {
    const metadata = new Metadata()
    metadata.set('clusterid', this.#options.clusterId)
    for (const [name, value] of Object.entries(this.#options.headers ?? {})) metadata.set(name.toLowerCase(), value)
    const token = await readToken(this.#options.token)
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
    return metadata
  }

  async #roots(): Promise<string> {
    const { root } = this.#options
    if (root === 'SYSTEM') return rootCertificates.join('\n')
    if ('pem' in root) return root.pem
    try {
      const { size } = await stat(root.file)
      if (size > MAX_PEM_BUNDLE_BYTES) throw new CaUnavailableError(`larger than ${MAX_PEM_BUNDLE_BYTES} bytes`)
      return await readFile(root.file, 'utf8')
    } catch (cause) {
      throw new CaUnavailableError(
        `cannot read ${root.file}, the root certificate that verifies the CA at ${this.#target}: ${messageOf(cause)}. It comes from the ConfigMap istio-ca-root-cert: check that the controller has written it into this namespace`,
        { cause },
      )
    }
  }

  /** Mounted files change under our feet: other roots mean another channel; calls on the old one may finish. */
  #channelFor(roots: string): Channel {
    const rootsDigest = createHash('sha256').update(roots).digest('hex')
    if (this.#channel?.rootsDigest === rootsDigest) return this.#channel
    if (this.#channel !== undefined) {
      this.#logger.info('root certificates of the CA changed: connecting anew')
      this.#retire(this.#channel)
    }
    this.#channel = { client: this.#connect(roots), rootsDigest, calls: 0, retired: false }
    return this.#channel
  }

  #connect(roots: string): Client {
    let secureContext: ReturnType<typeof createSecureContext>
    try {
      secureContext = createSecureContext({ ca: roots, minVersion: 'TLSv1.3' })
    } catch (cause) {
      throw new CaUnavailableError(
        `the root certificates that verify the CA at ${this.#target} cannot be parsed: ${messageOf(cause)}`,
        { cause },
      )
    }
    const { altHostname, connectTimeoutMs = CA_CONNECT_TIMEOUT_MS } = this.#options
    const host = hostOf(this.#target)
    const tls = credentials.createFromSecureContext(secureContext, {
      checkServerIdentity: (_name: string, certificate: PeerCertificate) => {
        const mismatch = checkServerIdentity(host, certificate)
        return mismatch !== undefined && altHostname !== undefined
          ? checkServerIdentity(altHostname, certificate)
          : mismatch
      },
    })
    boundHandshakes(tls, connectTimeoutMs)
    return new Client(this.#target, tls, {
      'grpc.keepalive_time_ms': CA_KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': CA_KEEPALIVE_TIMEOUT_MS,
      'grpc.max_receive_message_length': MAX_CA_RESPONSE_BYTES,
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.use_local_subchannel_pool': 1,
      // An address cannot be a TLS server name, and grpc-js would try; what is verified is the address all the same.
      ...(parseIp(host) === undefined
        ? {}
        : { 'grpc.ssl_target_name_override': altHostname ?? SERVER_NAME_FOR_ADDRESSES }),
    })
  }

  async #call(
    channel: Channel,
    metadata: Metadata,
    message: capb.IstioCertificateRequest,
    signal: AbortSignal | undefined,
  ): Promise<capb.IstioCertificateResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<capb.IstioCertificateResponse>()
    const timeouts = {
      connect: this.#options.connectTimeoutMs ?? CA_CONNECT_TIMEOUT_MS,
      call: this.#options.callTimeoutMs ?? CA_CALL_TIMEOUT_MS,
    }
    let connectTimedOut = false
    channel.calls++
    const call: ClientUnaryCall = channel.client.makeUnaryRequest(
      METHOD,
      (value) => Buffer.from(toBinary(capb.IstioCertificateRequestSchema, value)),
      (bytes) => fromBinary(capb.IstioCertificateResponseSchema, bytes),
      message,
      metadata,
      { deadline: Date.now() + timeouts.call },
      (error: ServiceError | null, answer?: capb.IstioCertificateResponse) => {
        if (answer !== undefined) resolve(answer)
        else reject(this.#failure(error, connectTimedOut ? timeouts.connect : undefined))
      },
    )
    const onAbort = (): void => call.cancel()
    signal?.addEventListener('abort', onAbort, { once: true })
    const connectTimer = setTimeout(() => {
      if (channel.client.getChannel().getConnectivityState(false) === connectivityState.READY) return
      connectTimedOut = true
      call.cancel()
    }, timeouts.connect)
    try {
      return await promise
    } catch (error) {
      signal?.throwIfAborted()
      // A new channel resolves the name again and does not wait out the old one's reconnect backoff.
      if (codeOf(error) === 'ERR_CA_UNAVAILABLE') this.#retire(channel)
      throw error
    } finally {
      clearTimeout(connectTimer)
      signal?.removeEventListener('abort', onAbort)
      channel.calls--
      if (channel.retired) this.#retire(channel)
    }
  }

  #failure(error: ServiceError | null, connectTimeoutMs: number | undefined): Error {
    if (connectTimeoutMs !== undefined) {
      return new CaUnavailableError(
        `no connection to the CA at ${this.#target} within ${connectTimeoutMs} ms: check that the controller runs and that no network policy blocks its port`,
      )
    }
    const code = error?.code ?? status.UNKNOWN
    const text = `${status[code] ?? code}: ${error?.details ?? 'no answer'}`
    if (REFUSALS.has(code)) {
      return new CaRefusedError(
        `the CA at ${this.#target} refused to sign (${text}): check the token's service account and CA_TRUSTED_NODE_ACCOUNTS of the controller, and that a pod with this identity runs on this node`,
      )
    }
    return new CaUnavailableError(
      `the CA at ${this.#target} did not sign (${text}): check that the controller runs and that the root certificate matches`,
    )
  }

  #retire(channel: Channel): void {
    channel.retired = true
    if (this.#channel === channel) this.#channel = undefined
    if (channel.calls === 0) channel.client.close()
  }
}

/** T31: never cached, a projected token is replaced on disk long before it ends. */
async function readToken(source: TokenSource): Promise<string | undefined> {
  if (source === 'none') return undefined
  if ('token' in source) return source.token
  let text: string
  try {
    const { size } = await stat(source.file)
    if (size > MAX_TOKEN_BYTES) throw new CaTokenError(`larger than ${MAX_TOKEN_BYTES} bytes`)
    text = (await readFile(source.file, 'utf8')).trim()
  } catch (cause) {
    throw new CaTokenError(`cannot read the token ${source.file} that authenticates to the CA: ${messageOf(cause)}`, {
      cause,
    })
  }
  if (text === '')
    throw new CaTokenError(
      `the token ${source.file} that authenticates to the CA is empty: check the projected volume of this pod`,
    )
  // A token with a line break or a blank is not one, and gRPC would put it into its error message.
  if (!/^[\x21-\x7e]+$/.test(text))
    throw new CaTokenError(`the token ${source.file} that authenticates to the CA holds characters that no token has`)
  return text
}

function targetOf(address: string): string {
  const scheme = /^([a-z]+):\/\//.exec(address)?.[1]
  if (scheme !== undefined && scheme !== 'https') throw new TypeError(`the CA address must be https: ${address}`)
  return address.replace(/^https:\/\//, '').replace(/\/$/, '')
}

/** Host of `host:port` or `[address]:port`. */
function hostOf(target: string): string {
  const host = /^(.*):\d+$/.exec(target)?.[1] ?? target
  return host.replace(/^\[(.*)\]$/, '$1')
}
