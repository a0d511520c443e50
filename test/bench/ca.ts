import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2'
import { parseSpiffeId, type SpiffeId } from '../../packages/core/src/index.ts'
import { CertificateAuthority, createCsr, readCsr } from '../../packages/identity/src/index.ts'

const DAY_S = 86_400
/** Name under which clients reach it, as they reach istiod. */
export const CA_NAME = 'istiod.istio-system.svc'

/**
 * A certificate authority that speaks Istio's CreateCertificate over gRPC, and signs whatever identity is asked for: for
 * this benchmark's own namespaces only. One unary method needs no gRPC library.
 */
export class BenchCa implements AsyncDisposable {
  readonly #ca: CertificateAuthority
  readonly #server: Http2SecureServer
  readonly address: string

  private constructor(ca: CertificateAuthority, server: Http2SecureServer, address: string) {
    this.#ca = ca
    this.#server = server
    this.address = address
  }

  static async start(host: string): Promise<BenchCa> {
    const { ca } = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
    const serving = ca.signServer({ dnsNames: [CA_NAME], ttlMs: DAY_S * 1000 })
    const server = createSecureServer({ cert: serving.chainPem, key: serving.keyPem })
    server.on('stream', (stream: ServerHttp2Stream) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', () => stream.destroy())
      stream.on('end', () => {
        // gRPC: one byte of flags and four of length before the message.
        const request = Buffer.concat(chunks).subarray(5)
        const message = answerCertificateRequest(ca, request)
        const prefix = Buffer.alloc(5)
        prefix.writeUInt32BE(message.length, 1)
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        stream.end(Buffer.concat([prefix, message]))
      })
    })
    server.listen(0, host)
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    return new BenchCa(ca, server, `https://${CA_NAME}:${port}`)
  }

  get rootsPem(): string {
    return this.#ca.rootsPem
  }

  bundle(identity: string): string {
    return bundle(this.#ca, identity)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve)
      setTimeout(resolve, 200)
    })
  }
}

/** Certificate chain and key of an identity in one PEM text, as haproxy reads it. */
export function bundle(ca: CertificateAuthority, identity: string): string {
  const { privateKey, csrPem } = createCsr(spiffeId(identity))
  const chain = ca.sign({ csrPem, identity: spiffeId(identity), ttlSeconds: DAY_S })
  return [...chain.slice(0, -1), privateKey.export({ type: 'pkcs8', format: 'pem' })].join('')
}

/** Istio's CreateCertificate: signs the identity that the request asks for. */
export function answerCertificateRequest(ca: CertificateAuthority, request: Buffer): Buffer {
  return encodeStrings(signed(ca, firstString(request)))
}

function signed(ca: CertificateAuthority, csrPem: string): readonly string[] {
  const csr = readCsr(csrPem)
  if (!csr.accepted) throw new Error(csr.reason)
  return ca.sign({ csrPem, identity: spiffeId(csr.uris[0] ?? ''), ttlSeconds: DAY_S })
}

function spiffeId(text: string): SpiffeId {
  const identity = parseSpiffeId(text)
  if (identity === undefined) throw new Error(`not a SPIFFE id: ${text}`)
  return identity
}

/** Field 1 of a protobuf message, when it is a string and comes first, as the CSR of IstioCertificateRequest does. */
function firstString(message: Buffer): string {
  if (message[0] !== 0x0a) throw new Error('unexpected certificate request')
  const { value, next } = varint(message, 1)
  return message.subarray(next, next + value).toString('utf8')
}

/** A protobuf message whose field 1 repeats the given strings, as IstioCertificateResponse.cert_chain does. */
function encodeStrings(texts: readonly string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text)
      const length: number[] = []
      for (let rest = bytes.length; ; rest >>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest)
        if (rest <= 127) break
      }
      return [Buffer.from([0x0a, ...length]), bytes]
    }),
  )
}

function varint(bytes: Buffer, from: number): { readonly value: number; readonly next: number } {
  let value = 0
  for (let at = from; at < from + 5; at++) {
    const byte = bytes[at] ?? 0
    value |= (byte & 127) << (7 * (at - from))
    if (byte < 128) return { value, next: at + 1 }
  }
  throw new Error('bad length')
}
