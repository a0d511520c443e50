import { readFile } from 'node:fs/promises'
import { checkServerIdentity, createSecureContext, type PeerCertificate, rootCertificates } from 'node:tls'
import { boundHandshakes, codeOf, messageOf } from '@ambit/core'
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js'
import { XdsCredentialError } from './errors.ts'
import { CONNECT_TIMEOUT_MS, MAX_ROOTS_BYTES, MAX_TOKEN_BYTES } from './limits.ts'

/** Roots that verify the control plane's serving certificate. A file is read again for every connection. */
export type RootSource = { readonly file: string } | { readonly pem: string } | 'SYSTEM'
/** The bearer token of this proxy. A file is read again for every connection; a missing one means no token. */
export type TokenSource = { readonly file: string } | { readonly token: string } | 'none'

export interface CredentialOptions {
  readonly root: RootSource
  readonly token: TokenSource
  readonly clusterId?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** A further name the server's certificate may have. */
  readonly altHostname?: string | undefined
}

/** Credentials that accept the certificate of `host`, whatever name the TLS handshake asked for. */
export async function channelCredentials(options: CredentialOptions, host: string): Promise<ChannelCredentials> {
  const ca = await readRoots(options.root)
  const context = parseRoots(ca)
  const { altHostname } = options
  const tls = credentials.createFromSecureContext(context, {
    checkServerIdentity: (_asked: string, certificate: PeerCertificate) => {
      const mismatch = checkServerIdentity(host, certificate)
      return mismatch === undefined || altHostname === undefined
        ? mismatch
        : checkServerIdentity(altHostname, certificate)
    },
  })
  boundHandshakes(tls, CONNECT_TIMEOUT_MS)
  return tls
}

export async function callMetadata(options: CredentialOptions): Promise<Metadata> {
  const metadata = new Metadata()
  if (options.clusterId !== undefined) metadata.set('clusterid', options.clusterId)
  for (const [name, value] of Object.entries(options.headers ?? {})) metadata.set(name.toLowerCase(), value)
  const token = await readToken(options.token)
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  return metadata
}

async function readRoots(root: RootSource): Promise<string> {
  if (root === 'SYSTEM') return rootCertificates.join('\n')
  if ('pem' in root) return root.pem
  const pem = await readSmallFile(root.file, MAX_ROOTS_BYTES).catch((cause: unknown) => {
    throw new XdsCredentialError(
      `cannot read ${root.file}, the root certificates of the control plane: ${messageOf(cause)}. They come from the ConfigMap istio-ca-root-cert: check that the controller wrote it into this namespace`,
      { cause },
    )
  })
  return pem
}

function parseRoots(ca: string): ReturnType<typeof createSecureContext> {
  try {
    return createSecureContext({ ca, minVersion: 'TLSv1.2' })
  } catch (cause) {
    throw new XdsCredentialError(`the root certificates of the control plane cannot be parsed: ${messageOf(cause)}`, {
      cause,
    })
  }
}

async function readToken(source: TokenSource): Promise<string | undefined> {
  if (source === 'none') return undefined
  if ('token' in source) return source.token
  try {
    const token = (await readSmallFile(source.file, MAX_TOKEN_BYTES)).trim()
    if (token === '') throw new XdsCredentialError(`the token file ${source.file} is empty`)
    return token
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    if (cause instanceof XdsCredentialError) throw cause
    throw new XdsCredentialError(`cannot read the token file ${source.file}: ${messageOf(cause)}`, { cause })
  }
}

async function readSmallFile(path: string, maxBytes: number): Promise<string> {
  const bytes = await readFile(path)
  if (bytes.length > maxBytes) throw new XdsCredentialError(`${path} is larger than ${maxBytes} bytes`)
  return bytes.toString('utf8')
}
