import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from 'node:tls'
import { AmbitError, messageOf } from '@ambit/core'
import type { CredentialStore, TlsTermination } from '@ambit/state'
import { hasAltName } from './client-certificate.ts'
import { contextOptions, identityFor, type ServerIdentity, serverIdentities } from './server-identity.ts'

export class TlsRefusal extends AmbitError {
  override readonly code = 'ERR_GATEWAY_TLS'
}

/** Bytes OpenSSL takes to tell sessions apart. */
const MAX_SESSION_CONTEXT = 32

interface Serving {
  readonly identities: readonly ServerIdentity[]
  readonly contexts: ReadonlyMap<ServerIdentity, SecureContext>
}

interface Pending {
  readonly resolve: (tls: TLSSocket) => void
  readonly reject: (error: Error) => void
}

/** TLS of one listener: a `tls.Server` that never listens and is fed with sockets, whose keys can be replaced under it. */
export class TlsTerminator {
  readonly #tls: TlsTermination
  readonly #credentials: Pick<CredentialStore, 'get'>
  readonly #server: Server
  readonly #sessions: string
  readonly #pending = new WeakMap<object, Pending>()
  #serving: Serving | undefined
  /** Why nobody is let in; undefined when clients are. */
  #problem: string | undefined

  constructor(
    components: { readonly credentials: Pick<CredentialStore, 'get'> },
    options: { readonly tls: TlsTermination; readonly terms: string },
  ) {
    this.#tls = options.tls
    this.#credentials = components.credentials
    this.#sessions = createHash('sha256').update(options.terms).digest('hex').slice(0, MAX_SESSION_CONTEXT)
    const { clientCertificates } = options.tls
    this.#server = createServer({
      requestCert: clientCertificates !== 'none',
      rejectUnauthorized: clientCertificates === 'required',
      ALPNProtocols: ['h2', 'http/1.1'],
      // A session begun here can not be resumed at a listener with other terms.
      sessionIdContext: this.#sessions,
      SNICallback: (name, done) => done(null, this.#contextFor(name)),
    })
    this.#server.on('secureConnection', (tls) => {
      tls.on('error', () => undefined)
      const pending = this.#pendingOf(tls)
      if (pending === undefined) tls.destroy()
      else pending.resolve(tls)
    })
    this.#server.on('tlsClientError', (error, tls) => {
      this.#pendingOf(tls)?.reject(error)
      tls.destroy()
    })
    this.reload()
  }

  get problem(): string | undefined {
    return this.#problem
  }

  get identities(): readonly ServerIdentity[] {
    return this.#serving?.identities ?? []
  }

  uses(credential: string): boolean {
    return this.#tls.credentials.includes(credential) || this.#tls.clientAuthorities.includes(credential)
  }

  /** Takes the credentials as they are now; connections that are open keep what they began with. */
  reload(): void {
    const found = serverIdentities(this.#tls, this.#credentials)
    this.#problem = found.ok ? undefined : found.reason
    this.#serving = undefined
    if (!found.ok) return
    const { identities, caPem } = found
    const options = (identity: ServerIdentity): SecureContextOptions => ({
      ...contextOptions(identity, this.#tls, caPem),
      sessionIdContext: this.#sessions,
    })
    const [first] = identities
    if (first === undefined) return
    try {
      const contexts = new Map(identities.map((identity) => [identity, createSecureContext(options(identity))]))
      this.#server.setSecureContext(options(first))
      this.#serving = { identities, contexts }
    } catch {
      // What OpenSSL says of a key stays here.
      this.#problem = 'OpenSSL refuses the certificates or the CAs'
    }
  }

  /** Resolves with a client that fulfils the listener's terms. Whoever calls it closes the socket when it rejects. */
  async secure(socket: Socket, serverName: string | undefined): Promise<TLSSocket> {
    if (this.#serving === undefined) throw new TlsRefusal(`no certificate: ${this.#problem ?? ''}`)
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
    this.#pending.set(socket, { resolve, reject })
    this.#server.emit('connection', socket)
    const tls = await promise
    // What chose the listener is what OpenSSL read, or somebody fooled one of the two.
    if ((tls.servername || '').toLowerCase() !== (serverName ?? '').toLowerCase())
      throw new TlsRefusal('the server name can be read in two ways')
    const certificate = tls.getPeerX509Certificate()
    if (certificate === undefined) return tls
    if (!tls.authorized)
      throw new TlsRefusal(`the client's certificate is not trusted: ${messageOf(tls.authorizationError)}`)
    if (!hasAltName(certificate, this.#tls.clientSubjectAltNames))
      throw new TlsRefusal("the client's certificate has none of the names that are let in")
    return tls
  }

  #contextFor(name: string): SecureContext | undefined {
    const identity = this.#serving && identityFor(this.#serving.identities, name)
    return identity && this.#serving?.contexts.get(identity)
  }

  /** `_parent` is the accepted socket. Should it ever be missing, the connection is closed, not served. */
  #pendingOf(tls: TLSSocket): Pending | undefined {
    const parent = '_parent' in tls ? tls._parent : undefined
    return typeof parent === 'object' && parent !== null ? this.#pending.get(parent) : undefined
  }
}
