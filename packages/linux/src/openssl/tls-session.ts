import { MAX_PEER_CHAIN } from '../limits.ts'
import { keepAlive, nativeBytes } from '../reactor/native.ts'
import { TlsError } from './errors.ts'
import type { OpenSsl } from './openssl.ts'
import type { TlsOutputs } from './output-buffers.ts'
import type { TlsContext } from './tls-context.ts'

/** What a handshake agreed on, and who is there. Whether it is the one we want is not said: OpenSSL has verified the chain, no name. */
export interface TlsPeer {
  readonly version: string
  readonly cipher: string
  /** As OpenSSL names it. */
  readonly group: string
  /** Of ALPN; empty when none was agreed on. */
  readonly protocol: string
  /** As verified, leaf first, in DER. */
  readonly chain: readonly Uint8Array<ArrayBuffer>[]
}

const SSL_ERROR_WANT_READ = 2
const SSL_ERROR_ZERO_RETURN = 6
const BIO_NOCLOSE = 0
/** `read` found nothing; the peer has closed in order. */
export const TLS_WANTS_MORE = -1
export const TLS_ENDED = 0

/**
 * One connection's TLS. It reads from the descriptor, which stays the caller's and must outlive it, and writes to the outputs of its
 * thread: the caller takes what is there after every call. Nothing is called after `dispose`, nor after an error.
 */
export class TlsSession implements Disposable {
  readonly #openssl: OpenSsl
  #pointer: bigint
  readonly #isServer: boolean

  constructor(openssl: OpenSsl, outputs: TlsOutputs, context: TlsContext, fd: number, isServer: boolean) {
    const { calls, counts } = openssl
    this.#openssl = openssl
    this.#isServer = isServer
    this.#pointer = calls.SSL_new(context.pointer)
    if (this.#pointer === 0n) throw openssl.failure('no TLS session')
    counts.sessions++
    const input = calls.BIO_new_socket(fd, BIO_NOCLOSE)
    if (input === 0n) {
      this[Symbol.dispose]()
      throw openssl.failure('no TLS session')
    }
    calls.SSL_set_bio(this.#pointer, input, outputs.reference())
    if (isServer) calls.SSL_set_accept_state(this.#pointer)
    else calls.SSL_set_connect_state(this.#pointer)
  }

  /** True when it is done, false when the peer has to say more; throws when it failed. */
  handshake(): boolean {
    const { calls } = this.#openssl
    const result = calls.SSL_do_handshake(this.#alive())
    if (result === 1) return true
    if (calls.SSL_get_error(this.#pointer, result) === SSL_ERROR_WANT_READ) return false
    throw this.#handshakeFailure()
  }

  /** Bytes read, {@link TLS_ENDED} or {@link TLS_WANTS_MORE}; throws when the connection is broken. */
  read(pointer: bigint, length: number): number {
    const { calls } = this.#openssl
    const count = calls.SSL_read(this.#alive(), pointer, length)
    if (count > 0) return count
    switch (calls.SSL_get_error(this.#pointer, count)) {
      case SSL_ERROR_WANT_READ:
        return TLS_WANTS_MORE
      case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED
      default:
        throw this.#openssl.failure('the connection is broken')
    }
  }

  /** Takes all: what it writes to is memory. */
  write(pointer: bigint, length: number): void {
    const count = this.#openssl.calls.SSL_write(this.#alive(), pointer, length)
    if (count !== length) throw this.#openssl.failure('nothing can be sent')
  }

  /** Tells the peer that nothing more comes. */
  end(): void {
    if (this.#openssl.calls.SSL_shutdown(this.#alive()) < 0) this.#openssl.takeErrors()
  }

  peer(): TlsPeer {
    const { calls } = this.#openssl
    const ssl = this.#alive()
    return {
      version: this.#openssl.text(calls.SSL_get_version(ssl)),
      cipher: this.#openssl.text(calls.SSL_CIPHER_get_name(calls.SSL_get_current_cipher(ssl))),
      group: this.#openssl.text(calls.SSL_get0_group_name(ssl)),
      protocol: this.#protocol(),
      chain: this.#chain(),
    }
  }

  [Symbol.dispose](): void {
    if (this.#pointer === 0n) return
    this.#openssl.calls.SSL_free(this.#pointer)
    this.#pointer = 0n
    this.#openssl.counts.sessions--
  }

  #alive(): bigint {
    if (this.#pointer === 0n) throw new TlsError('the TLS session is released')
    return this.#pointer
  }

  #protocol(): string {
    const { calls, ffi } = this.#openssl
    const out = nativeBytes(ffi, 16)
    out.bytes.fill(0)
    calls.SSL_get0_alpn_selected(this.#pointer, out.pointer, out.pointer + 8n)
    const [name, length] = [out.bytes.readBigUInt64LE(0), out.bytes.readUInt32LE(8)]
    keepAlive(out)
    return length === 0 ? '' : ffi.toBuffer(name, length).toString('latin1')
  }

  #chain(): readonly Uint8Array<ArrayBuffer>[] {
    const { calls } = this.#openssl
    // Only what was verified; it belongs to the session.
    const stack = calls.SSL_get0_verified_chain(this.#pointer)
    const count = stack === 0n ? 0 : Math.min(calls.OPENSSL_sk_num(stack), MAX_PEER_CHAIN)
    return Array.from({ length: count }, (_, index) => this.#der(calls.OPENSSL_sk_value(stack, index)))
  }

  #der(certificate: bigint): Uint8Array<ArrayBuffer> {
    const { calls, ffi } = this.#openssl
    const length = calls.i2d_X509(certificate, 0n)
    if (length <= 0) throw this.#openssl.failure('a certificate of the peer')
    const der = nativeBytes(ffi, length)
    const at = nativeBytes(ffi, 8)
    at.bytes.writeBigUInt64LE(der.pointer)
    calls.i2d_X509(certificate, at.pointer)
    keepAlive(der, at)
    return new Uint8Array(der.bytes)
  }

  #handshakeFailure(): TlsError {
    const { calls } = this.#openssl
    const verdict = calls.SSL_get_verify_result(this.#pointer)
    const failure = this.#openssl.failure('the connection was closed during the handshake')
    if (verdict === 0n) return failure
    const why = this.#openssl.text(calls.X509_verify_cert_error_string(verdict))
    return new TlsError(`the ${this.#isServer ? 'client' : 'server'} certificate is not trusted: ${why}`)
  }
}
