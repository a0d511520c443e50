import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { type Clock, messageOf, type SpiffeId } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import { KEY_EXCHANGE_GROUPS, type KeyExchangeGroup } from './defaults.ts'
import { HboneTlsError } from './errors.ts'
import { firstFlight } from './first-flight.ts'
import { chosenGroup, UNKNOWN_GROUP } from './key-exchange.ts'
import { ALPN, secureContextOptions } from './secure-context.ts'
import type { PeerIdentity, TlsFacts } from './tls.types.ts'
import { certificateChain, verifyClient } from './verify-peer.ts'

export interface SecuredServer {
  readonly tls: TLSSocket
  readonly peer: PeerIdentity
  readonly facts: TlsFacts
}

export interface SecureServerComponents {
  readonly certificate: () => Promise<WorkloadCertificate> | WorkloadCertificate
  readonly clock: Clock
}

interface Pending {
  readonly resolve: (tls: TLSSocket) => void
  readonly reject: (error: Error) => void
}

/**
 * The server half of the handshake, for one workload. One `tls.Server` that never listens is fed with accepted sockets:
 * only it emits 'secureConnection', and its context can be replaced when the certificate is.
 */
export class SecureServer {
  readonly #components: SecureServerComponents
  readonly #server: Server
  readonly #pending = new WeakMap<object, Pending>()
  readonly #groups: readonly KeyExchangeGroup[]
  #serving: WorkloadCertificate | undefined

  constructor(components: SecureServerComponents, groups: readonly KeyExchangeGroup[] = KEY_EXCHANGE_GROUPS) {
    this.#components = components
    this.#groups = groups
    this.#server = createServer({
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ALPN,
      minVersion: 'TLSv1.3',
    })
    this.#server.on('secureConnection', (tls) => {
      const pending = this.#pendingOf(tls)
      if (pending === undefined) tls.destroy()
      else pending.resolve(tls)
    })
    this.#server.on('tlsClientError', (error, tls) => {
      this.#pendingOf(tls)?.reject(tls.authorizationError ? notTrusted(tls) : error)
      tls.destroy()
    })
  }

  /** Resolves with a peer whose chain and trust domain are verified; otherwise the socket is closed. */
  async secure(socket: Socket, timeoutMs: number): Promise<SecuredServer> {
    const { promise: tooLate, reject: giveUp } = Promise.withResolvers<never>()
    tooLate.catch(() => undefined)
    const onError = (error: Error): void => giveUp(error)
    // The TLS layer, which knows why, learns of the end after its socket.
    const onClose = (): void =>
      void setImmediate(giveUp, new HboneTlsError('the connection was closed during the handshake'))
    socket.on('error', onError)
    socket.once('close', onClose)
    using _timer = this.#components.clock.after(timeoutMs, () =>
      giveUp(new HboneTlsError(`the handshake did not complete within ${timeoutMs} ms`)),
    )
    try {
      const [hello, certificate] = await Promise.race([
        Promise.all([firstFlight(socket), this.#components.certificate()]),
        tooLate,
      ])
      const tls = await Promise.race([this.#handshake(socket, certificate), tooLate])
      const keyExchange = hello === undefined ? UNKNOWN_GROUP : chosenGroup(hello, this.#groups)
      return securedServer(tls, certificate.identity, keyExchange)
    } catch (cause) {
      socket.destroy()
      throw new HboneTlsError(`TLS handshake failed: ${messageOf(cause)}`, { cause })
    } finally {
      socket.off('close', onClose)
    }
  }

  #handshake(socket: Socket, certificate: WorkloadCertificate): Promise<TLSSocket> {
    if (this.#serving !== certificate) {
      // New connections only; those under way keep the context they started with.
      this.#server.setSecureContext(secureContextOptions(certificate, this.#groups))
      this.#serving = certificate
    }
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
    this.#pending.set(socket, { resolve, reject })
    this.#server.emit('connection', socket)
    return promise
  }

  /** `_parent` is the accepted socket. Should it ever be missing, the connection is closed, not served. */
  #pendingOf(tls: TLSSocket): Pending | undefined {
    const parent = '_parent' in tls ? tls._parent : undefined
    return typeof parent === 'object' && parent !== null ? this.#pending.get(parent) : undefined
  }
}

function securedServer(tls: TLSSocket, own: SpiffeId, keyExchange: string): SecuredServer {
  const leaf = tls.authorized ? tls.getPeerX509Certificate() : undefined
  if (leaf === undefined) throw notTrusted(tls)
  if (tls.alpnProtocol !== 'h2') throw new HboneTlsError('the client does not speak HTTP/2 (ALPN h2)')
  const verdict = verifyClient(leaf, own.trustDomain)
  if (!verdict.ok) throw new HboneTlsError(verdict.reason)
  return {
    tls,
    peer: { identity: verdict.value, chain: certificateChain(leaf) },
    facts: { version: tls.getProtocol() ?? 'unknown', cipher: tls.getCipher().name, keyExchange },
  }
}

function notTrusted(tls: TLSSocket): HboneTlsError {
  return new HboneTlsError(`the client certificate is not trusted: ${messageOf(tls.authorizationError)}`)
}
