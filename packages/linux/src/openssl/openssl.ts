import type * as NodeFfi from 'node:ffi'
import { messageOf } from '@ambit/core'
import { ReactorUnavailableError } from '../reactor/errors.ts'
import { type Ffi, nativeBytes } from '../reactor/native.ts'
import { TlsError } from './errors.ts'

/** OpenSSL 3.5 as Node's own binary carries it; sizes as in the reactor's calls. */
const FUNCTIONS = {
  BIO_ctrl: { arguments: ['pointer', 'int32', 'int64', 'pointer'], return: 'int32' },
  BIO_free: { arguments: ['pointer'], return: 'int32' },
  BIO_new: { arguments: ['pointer'], return: 'pointer' },
  BIO_new_mem_buf: { arguments: ['pointer', 'int32'], return: 'pointer' },
  BIO_new_socket: { arguments: ['int32', 'int32'], return: 'pointer' },
  BIO_s_mem: { arguments: [], return: 'pointer' },
  BIO_up_ref: { arguments: ['pointer'], return: 'int32' },
  BUF_MEM_free: { arguments: ['pointer'], return: 'void' },
  BUF_MEM_grow: { arguments: ['pointer', 'uint64'], return: 'uint32' },
  BUF_MEM_new: { arguments: [], return: 'pointer' },
  d2i_AutoPrivateKey: { arguments: ['pointer', 'pointer', 'int32'], return: 'pointer' },
  ERR_clear_error: { arguments: [], return: 'void' },
  ERR_error_string_n: { arguments: ['uint64', 'pointer', 'uint32'], return: 'void' },
  ERR_get_error: { arguments: [], return: 'uint64' },
  EVP_PKEY_free: { arguments: ['pointer'], return: 'void' },
  i2d_X509: { arguments: ['pointer', 'pointer'], return: 'int32' },
  OPENSSL_sk_num: { arguments: ['pointer'], return: 'int32' },
  OPENSSL_sk_value: { arguments: ['pointer', 'int32'], return: 'pointer' },
  PEM_read_bio_X509: { arguments: ['pointer', 'pointer', 'pointer', 'pointer'], return: 'pointer' },
  SSL_CIPHER_get_name: { arguments: ['pointer'], return: 'pointer' },
  SSL_CTX_check_private_key: { arguments: ['pointer'], return: 'int32' },
  SSL_CTX_ctrl: { arguments: ['pointer', 'int32', 'int64', 'pointer'], return: 'int32' },
  SSL_CTX_free: { arguments: ['pointer'], return: 'void' },
  SSL_CTX_get_cert_store: { arguments: ['pointer'], return: 'pointer' },
  SSL_CTX_new: { arguments: ['pointer'], return: 'pointer' },
  SSL_CTX_set_alpn_protos: { arguments: ['pointer', 'pointer', 'uint32'], return: 'int32' },
  SSL_CTX_set_alpn_select_cb: { arguments: ['pointer', 'pointer', 'pointer'], return: 'void' },
  SSL_CTX_set_ciphersuites: { arguments: ['pointer', 'pointer'], return: 'int32' },
  SSL_CTX_set_default_read_buffer_len: { arguments: ['pointer', 'uint64'], return: 'void' },
  SSL_CTX_set_num_tickets: { arguments: ['pointer', 'uint64'], return: 'int32' },
  SSL_CTX_set_options: { arguments: ['pointer', 'uint64'], return: 'uint64' },
  SSL_CTX_set_verify: { arguments: ['pointer', 'int32', 'pointer'], return: 'void' },
  SSL_CTX_use_certificate: { arguments: ['pointer', 'pointer'], return: 'int32' },
  SSL_CTX_use_PrivateKey: { arguments: ['pointer', 'pointer'], return: 'int32' },
  SSL_do_handshake: { arguments: ['pointer'], return: 'int32' },
  SSL_free: { arguments: ['pointer'], return: 'void' },
  SSL_get0_alpn_selected: { arguments: ['pointer', 'pointer', 'pointer'], return: 'void' },
  SSL_get0_group_name: { arguments: ['pointer'], return: 'pointer' },
  SSL_get0_verified_chain: { arguments: ['pointer'], return: 'pointer' },
  SSL_get_current_cipher: { arguments: ['pointer'], return: 'pointer' },
  SSL_get_error: { arguments: ['pointer', 'int32'], return: 'int32' },
  SSL_get_verify_result: { arguments: ['pointer'], return: 'int64' },
  SSL_get_version: { arguments: ['pointer'], return: 'pointer' },
  SSL_new: { arguments: ['pointer'], return: 'pointer' },
  SSL_read: { arguments: ['pointer', 'pointer', 'int32'], return: 'int32' },
  SSL_set_accept_state: { arguments: ['pointer'], return: 'void' },
  SSL_set_bio: { arguments: ['pointer', 'pointer', 'pointer'], return: 'void' },
  SSL_set_connect_state: { arguments: ['pointer'], return: 'void' },
  SSL_shutdown: { arguments: ['pointer'], return: 'int32' },
  SSL_write: { arguments: ['pointer', 'pointer', 'int32'], return: 'int32' },
  TLS_method: { arguments: [], return: 'pointer' },
  X509_free: { arguments: ['pointer'], return: 'void' },
  X509_STORE_add_cert: { arguments: ['pointer', 'pointer'], return: 'int32' },
  X509_verify_cert_error_string: { arguments: ['int64'], return: 'pointer' },
} as const

export type OpenSslFunctions = NodeFfi.WrappedFunctionsFromDefinitions<typeof FUNCTIONS>

/** Native objects of this thread that are not released yet; all zero when nothing leaks. */
export interface NativeCounts {
  contexts: number
  sessions: number
  /** Certificates and keys on their way into a context. */
  parsed: number
  outputBuffers: number
}

/** Longest text of one entry of OpenSSL's error queue, bytes with its terminator. */
const ERROR_TEXT_BYTES = 256

/** OpenSSL on this thread. The error queue is empty between calls: whoever sees a call fail takes the errors off. */
export class OpenSsl {
  readonly ffi: Ffi
  readonly calls: OpenSslFunctions
  readonly counts: NativeCounts = { contexts: 0, sessions: 0, parsed: 0, outputBuffers: 0 }
  readonly #library: NodeFfi.DynamicLibrary
  readonly #errorText: { readonly bytes: Buffer; readonly pointer: bigint }

  constructor(ffi: Ffi) {
    this.ffi = ffi
    try {
      const { functions, lib } = ffi.dlopen(null, FUNCTIONS)
      this.calls = functions
      this.#library = lib
    } catch (cause) {
      throw new ReactorUnavailableError(
        `this Node (${process.version}) does not carry the OpenSSL 3.5 the reactor needs: ${messageOf(cause)}`,
        { cause },
      )
    }
    this.#errorText = nativeBytes(ffi, ERROR_TEXT_BYTES)
  }

  /** A function of ours that C calls; it lives as long as this thread. */
  callback<const T extends NodeFfi.FunctionSignature>(
    signature: T,
    run: NodeFfi.CallbackFunctionFromSignature<T>,
  ): bigint {
    return this.#library.registerCallback(signature, run)
  }

  text(pointer: bigint): string {
    return pointer === 0n ? '' : (this.ffi.toString(pointer) ?? '')
  }

  /** Empties the error queue of this thread; the most telling entry first. */
  takeErrors(): string {
    const { bytes, pointer } = this.#errorText
    const texts: string[] = []
    for (;;) {
      const code = this.calls.ERR_get_error()
      if (code === 0n) return texts.join('; ')
      this.calls.ERR_error_string_n(code, pointer, ERROR_TEXT_BYTES)
      // error:0A000086:SSL routines::certificate verify failed
      const whole = bytes.toString('latin1', 0, bytes.indexOf(0))
      texts.push(whole.split(':').slice(2).join(':').replace('SSL routines::', '') || whole)
    }
  }

  /** The error that a failed call left. */
  failure(what: string): TlsError {
    const errors = this.takeErrors()
    return new TlsError(errors === '' ? what : `${what}: ${errors}`)
  }
}
