import { TLS_READ_BUFFER_BYTES } from '../limits.ts'
import { keepAlive, nativeBytes } from '../reactor/native.ts'
import { TlsError } from './errors.ts'
import type { OpenSsl } from './openssl.ts'

export interface TlsContextOptions {
  /** Leaf, then intermediates. */
  readonly chainPem: string
  readonly rootsPem: string
  /** PKCS #8 in DER. Overwritten with zeros as soon as OpenSSL has read it. */
  readonly privateKeyDer: Uint8Array
  /** In order of preference, as OpenSSL names them. */
  readonly cipherSuites: string
  readonly groups: string
  /** The one protocol of ALPN. */
  readonly protocol: string
}

const SSL_CTRL_EXTRA_CHAIN_CERT = 14
const SSL_CTRL_MODE = 33
const SSL_CTRL_SET_READ_AHEAD = 41
const SSL_CTRL_SET_SESS_CACHE_MODE = 44
const SSL_CTRL_SET_GROUPS_LIST = 92
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123
const SSL_CTRL_SET_MAX_PROTO_VERSION = 124
const TLS1_3_VERSION = 0x304n
const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x2n
const SSL_MODE_RELEASE_BUFFERS = 0x10n
const SSL_OP_NO_TICKET = 1n << 14n
const SSL_OP_CIPHER_SERVER_PREFERENCE = 1n << 22n
const SSL_OP_NO_RENEGOTIATION = 1n << 30n
const SSL_VERIFY_PEER_AND_REQUIRE = 3
const SSL_TLSEXT_ERR_OK = 0
const SSL_TLSEXT_ERR_ALERT_FATAL = 2

/**
 * What connections of one identity share: TLS 1.3 only, its certificate, the roots it believes and nobody else's, a certificate
 * demanded of every peer, no resumption. Sessions made of it keep it alive in OpenSSL, so it may be disposed of before them.
 */
export class TlsContext implements Disposable {
  readonly #openssl: OpenSsl
  #pointer: bigint

  constructor(openssl: OpenSsl, options: TlsContextOptions) {
    const { calls, counts } = openssl
    this.#openssl = openssl
    this.#pointer = calls.SSL_CTX_new(calls.TLS_method())
    if (this.#pointer === 0n) throw openssl.failure('no TLS context')
    counts.contexts++
    try {
      this.#restrict(options)
      this.#identify(options)
      this.#trust(options.rootsPem)
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    } finally {
      options.privateKeyDer.fill(0)
    }
  }

  get pointer(): bigint {
    if (this.#pointer === 0n) throw new TlsError('the TLS context is released')
    return this.#pointer
  }

  [Symbol.dispose](): void {
    if (this.#pointer === 0n) return
    this.#openssl.calls.SSL_CTX_free(this.#pointer)
    this.#pointer = 0n
    this.#openssl.counts.contexts--
  }

  #restrict({ cipherSuites, groups, protocol }: TlsContextOptions): void {
    const { calls } = this.#openssl
    const context = this.#pointer
    this.#demand(calls.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_3_VERSION, 0n), 'TLS 1.3')
    this.#demand(calls.SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_3_VERSION, 0n), 'TLS 1.3')
    const setSuites = (names: bigint): number => calls.SSL_CTX_set_ciphersuites(context, names)
    this.#demand(this.#withText(cipherSuites, setSuites), `cipher suites ${cipherSuites}`)
    const setGroups = (names: bigint): number => calls.SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0n, names)
    this.#demand(this.#withText(groups, setGroups), `groups ${groups}`)
    // No resumption: every connection proves its identity with a certificate that is valid now.
    calls.SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION)
    this.#demand(calls.SSL_CTX_set_num_tickets(context, 0n), 'no tickets')
    calls.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, 0n, 0n)
    // Idle sessions hold no buffers.
    calls.SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS, 0n)
    calls.SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1n, 0n)
    calls.SSL_CTX_set_default_read_buffer_len(context, BigInt(TLS_READ_BUFFER_BYTES))
    calls.SSL_CTX_set_verify(context, SSL_VERIFY_PEER_AND_REQUIRE, 0n)
    const name = Buffer.from(protocol, 'latin1')
    const wire = Buffer.concat([Buffer.of(name.length), name])
    const offered = nativeBytes(this.#openssl.ffi, wire.length)
    wire.copy(offered.bytes)
    if (calls.SSL_CTX_set_alpn_protos(context, offered.pointer, wire.length) !== 0) throw this.#openssl.failure('ALPN')
    keepAlive(offered)
    calls.SSL_CTX_set_alpn_select_cb(context, alpnChooser(this.#openssl, protocol), 0n)
  }

  #identify({ chainPem, privateKeyDer }: TlsContextOptions): void {
    const { calls, counts, ffi } = this.#openssl
    let isLeaf = true
    this.#forEachCertificate(chainPem, 'certificate chain', (certificate) => {
      if (isLeaf) this.#demand(calls.SSL_CTX_use_certificate(this.#pointer, certificate), 'certificate')
      else
        this.#demand(calls.SSL_CTX_ctrl(this.#pointer, SSL_CTRL_EXTRA_CHAIN_CERT, 0n, certificate), 'certificate chain')
      const isTaken = !isLeaf
      isLeaf = false
      return isTaken
    })
    const der = nativeBytes(ffi, privateKeyDer.length)
    const at = nativeBytes(ffi, 8)
    der.bytes.set(privateKeyDer)
    at.bytes.writeBigUInt64LE(der.pointer)
    const key = calls.d2i_AutoPrivateKey(0n, at.pointer, privateKeyDer.length)
    der.bytes.fill(0)
    keepAlive(der, at)
    if (key === 0n) throw this.#openssl.failure('the private key cannot be read')
    counts.parsed++
    try {
      this.#demand(calls.SSL_CTX_use_PrivateKey(this.#pointer, key), 'private key')
      this.#demand(calls.SSL_CTX_check_private_key(this.#pointer), 'the private key is of another certificate')
    } finally {
      calls.EVP_PKEY_free(key)
      counts.parsed--
    }
  }

  #trust(rootsPem: string): void {
    const { calls } = this.#openssl
    const store = calls.SSL_CTX_get_cert_store(this.#pointer)
    this.#forEachCertificate(rootsPem, 'root certificates', (certificate) => {
      this.#demand(calls.X509_STORE_add_cert(store, certificate), 'root certificate')
      return false
    })
  }

  /** `use` answers whether it took the certificate over; it is released otherwise. */
  #forEachCertificate(pem: string, what: string, use: (certificate: bigint) => boolean): void {
    const { calls, counts, ffi } = this.#openssl
    const text = Buffer.from(pem, 'latin1')
    const source = nativeBytes(ffi, text.length)
    text.copy(source.bytes)
    const bio = calls.BIO_new_mem_buf(source.pointer, text.length)
    if (bio === 0n) throw this.#openssl.failure(what)
    let count = 0
    try {
      for (;;) {
        const certificate = calls.PEM_read_bio_X509(bio, 0n, 0n, 0n)
        if (certificate === 0n) break
        counts.parsed++
        count++
        let isTaken = false
        try {
          isTaken = use(certificate)
        } finally {
          if (!isTaken) calls.X509_free(certificate)
          counts.parsed--
        }
      }
    } finally {
      calls.BIO_free(bio)
      keepAlive(source)
    }
    // The end of the text is an error to OpenSSL, and so is one that does not parse.
    const errors = this.#openssl.takeErrors()
    if (count === 0 || (errors !== '' && !errors.includes('no start line'))) {
      throw new TlsError(`the ${what} cannot be read${errors === '' ? '' : `: ${errors}`}`)
    }
  }

  /** Lends a string of C for a call. */
  #withText(text: string, use: (pointer: bigint) => number): number {
    const length = Buffer.byteLength(text, 'latin1')
    const native = nativeBytes(this.#openssl.ffi, length + 1)
    native.bytes.write(text, 'latin1')
    const result = use(native.pointer)
    keepAlive(native)
    return result
  }

  #demand(result: number, what: string): void {
    if (result !== 1) throw this.#openssl.failure(what)
  }
}

const choosers = new WeakMap<OpenSsl, Map<string, { readonly pointer: bigint; readonly name: Buffer }>>()

/** The server's half of ALPN: the one protocol if the client offers it, else the alert `no_application_protocol`. */
function alpnChooser(openssl: OpenSsl, protocol: string): bigint {
  const ofThread = choosers.get(openssl) ?? new Map<string, { pointer: bigint; name: Buffer }>()
  choosers.set(openssl, ofThread)
  const known = ofThread.get(protocol)
  if (known !== undefined) return known.pointer
  const { ffi } = openssl
  const name = nativeBytes(ffi, Buffer.byteLength(protocol, 'latin1'))
  name.bytes.write(protocol, 'latin1')
  const pointer = openssl.callback(
    { arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'uint32', 'pointer'], return: 'int32' },
    (_ssl, chosen, chosenLength, offered, offeredLength) => {
      if (typeof chosen !== 'bigint' || typeof chosenLength !== 'bigint' || typeof offered !== 'bigint') {
        return SSL_TLSEXT_ERR_ALERT_FATAL
      }
      const list = ffi.toBuffer(offered, offeredLength)
      for (let at = 0; at < list.length; at += 1 + (list[at] as number)) {
        if (name.bytes.compare(list, at + 1, at + 1 + (list[at] as number)) !== 0) continue
        ffi.setUint64(chosen, 0, name.pointer)
        ffi.setUint8(chosenLength, 0, name.bytes.length)
        return SSL_TLSEXT_ERR_OK
      }
      return SSL_TLSEXT_ERR_ALERT_FATAL
    },
  )
  ofThread.set(protocol, { pointer, name: name.bytes })
  return pointer
}
