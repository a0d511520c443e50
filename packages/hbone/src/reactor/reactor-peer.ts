import { X509Certificate } from 'node:crypto'
import { messageOf, type SpiffeId } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import type { TlsPeer } from '@ambit/linux'
import type { KeyExchangeGroup } from '../defaults.ts'
import { HboneTlsError } from '../errors.ts'
import type { PeerIdentity, TlsFacts } from '../tls.types.ts'
import { type PeerVerdict, verifyClient, verifyServer } from '../verify-peer.ts'
import type { Reactor } from './reactor.ts'
import type { ReactorConnection } from './reactor-connection.ts'

export interface SecuredByReactor {
  readonly peer: PeerIdentity
  readonly facts: TlsFacts
}

export interface ReactorSecureOptions {
  readonly certificate: WorkloadCertificate
  readonly timeoutMs: number
  readonly groups?: readonly KeyExchangeGroup[] | undefined
}

/** The server half of the handshake: resolves with a peer whose chain and trust domain are verified; otherwise the connection is closed. */
export async function secureServerByReactor(
  reactor: Reactor,
  connection: ReactorConnection,
  options: ReactorSecureOptions,
): Promise<SecuredByReactor> {
  const { trustDomain } = options.certificate.identity
  return await secure(reactor, connection, options, true, (leaf) => verifyClient(leaf, trustDomain))
}

/** The client half: the server must have one of the expected identities. */
export async function secureClientByReactor(
  reactor: Reactor,
  connection: ReactorConnection,
  expected: readonly SpiffeId[],
  options: ReactorSecureOptions,
): Promise<SecuredByReactor> {
  return await secure(reactor, connection, options, false, (leaf) => verifyServer(leaf, expected))
}

async function secure(
  reactor: Reactor,
  connection: ReactorConnection,
  { certificate, groups, timeoutMs }: ReactorSecureOptions,
  isServer: boolean,
  verify: (leaf: X509Certificate) => PeerVerdict<SpiffeId>,
): Promise<SecuredByReactor> {
  try {
    const peer = await connection.secure(reactor.context(certificate, groups), { isServer, timeoutMs })
    const chain = peer.chain.map((der) => new X509Certificate(der))
    const [leaf] = chain
    if (leaf === undefined) throw new HboneTlsError('the peer was not verified')
    if (peer.protocol !== 'h2') throw new HboneTlsError('the peer does not speak HTTP/2 (ALPN h2)')
    const verdict = verify(leaf)
    if (!verdict.ok) throw new HboneTlsError(verdict.reason)
    return { peer: { identity: verdict.value, chain }, facts: factsOf(peer) }
  } catch (cause) {
    connection.cut()
    throw new HboneTlsError(`TLS handshake failed: ${messageOf(cause)}`, { cause })
  }
}

/** TLS's names of groups whose better known ones we write. */
const GROUP_NAMES: ReadonlyMap<string, KeyExchangeGroup> = new Map([
  ['x25519', 'X25519'],
  ['secp256r1', 'P-256'],
  ['secp384r1', 'P-384'],
])

function factsOf({ version, cipher, group }: TlsPeer): TlsFacts {
  return { version, cipher, keyExchange: GROUP_NAMES.get(group) ?? group }
}
