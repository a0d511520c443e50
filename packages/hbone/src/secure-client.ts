import { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { connect, type SecureContext, type TLSSocket } from 'node:tls'
import { type Clock, messageOf, type SpiffeId } from '@ambit/core'
import { HboneTlsError } from './errors.ts'
import { reportedGroup } from './key-exchange.ts'
import { ALPN } from './secure-context.ts'
import type { TlsFacts } from './tls.types.ts'
import { verifyServer } from './verify-peer.ts'

export interface SecureClientOptions {
  /** A connected socket, or a tunnel's stream for a connection inside of a connection. */
  readonly carrier: Duplex
  readonly context: SecureContext
  readonly expected: readonly SpiffeId[]
  /** For messages only. */
  readonly peerName: string
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface SecuredClient {
  readonly tls: TLSSocket
  readonly peer: SpiffeId
  readonly facts: TlsFacts
}

/** The client half of the handshake. Sends no server name; who the server is, its certificate's identity says. */
export async function secureClient(options: SecureClientOptions): Promise<SecuredClient> {
  const { carrier, peerName, signal } = options
  if (isAborted(signal)) {
    carrier.destroy()
    throw signal?.reason
  }
  let peer: SpiffeId | undefined
  const tls = connect({
    socket: carrier,
    secureContext: options.context,
    ALPNProtocols: ALPN,
    rejectUnauthorized: true,
    // Runs after the chain is verified. DNS names in the certificate are of no account.
    checkServerIdentity: (_host, certificate) => {
      const verdict = verifyServer(new X509Certificate(certificate.raw), options.expected)
      if (!verdict.ok) return new HboneTlsError(verdict.reason)
      peer = verdict.value
      return undefined
    },
  })
  const { promise: secured, resolve, reject } = Promise.withResolvers<void>()
  const onError = (error: Error): void => reject(error)
  const onClose = (): void => reject(new HboneTlsError('the connection was closed during the handshake'))
  const onAbort = (): void => reject(signal?.reason as Error)
  tls.once('secureConnect', resolve)
  tls.on('error', onError)
  tls.once('close', onClose)
  signal?.addEventListener('abort', onAbort, { once: true })
  using _timer = options.clock.after(options.timeoutMs, () =>
    reject(new HboneTlsError(`the handshake did not complete within ${options.timeoutMs} ms`)),
  )
  try {
    await secured
    if (peer === undefined || !tls.authorized) throw new HboneTlsError('the server was not verified')
    if (tls.alpnProtocol !== 'h2') throw new HboneTlsError('the server does not speak HTTP/2 (ALPN h2)')
    const facts = {
      version: tls.getProtocol() ?? 'unknown',
      cipher: tls.getCipher().name,
      keyExchange: reportedGroup(tls.getEphemeralKeyInfo()),
    }
    return { tls, peer, facts }
  } catch (cause) {
    tls.destroy()
    carrier.destroy()
    if (isAborted(signal)) throw signal?.reason
    throw new HboneTlsError(`TLS handshake with ${peerName} failed: ${messageOf(cause)}`, { cause })
  } finally {
    tls.off('error', onError)
    tls.off('close', onClose)
    // Whoever takes the socket adds handlers of its own; until then a late error must not be an unhandled one.
    tls.on('error', () => undefined)
    signal?.removeEventListener('abort', onAbort)
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}
