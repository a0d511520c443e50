import type { Duplex } from 'node:stream'
import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls'
import type { UpstreamTls } from '@ambit/state'

/** Of an endpoint that ends TLS itself. */
export interface WithTls {
  readonly tls?: UpstreamTls
}

/** Speaks TLS with the endpoint at the other end of the stream; rejects when that is not who it should be. */
export async function originateTls(
  stream: Duplex,
  { serverName, subjectAltNames, insecureSkipVerify }: UpstreamTls,
  alpn: 'http/1.1' | 'h2' | undefined,
  signal: AbortSignal,
): Promise<Duplex> {
  const names = subjectAltNames.length === 0 ? [serverName] : subjectAltNames
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({
    socket: stream,
    servername: serverName,
    rejectUnauthorized: !insecureSkipVerify,
    minVersion: 'TLSv1.2',
    ...(alpn && { ALPNProtocols: [alpn] }),
    checkServerIdentity: (_, certificate) => nameProblem(names, certificate),
  })
  const giveUp = (): void => reject(signal.reason as Error)
  socket.once('secureConnect', resolve)
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('the endpoint ended the TLS handshake')))
  signal.addEventListener('abort', giveUp, { once: true })
  if (signal.aborted) giveUp()
  try {
    await promise
    if (alpn === 'h2' && socket.alpnProtocol !== 'h2') throw new Error('the endpoint speaks no HTTP/2 under TLS')
    return socket
  } catch (error) {
    socket.destroy()
    stream.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** One of the names has to be in the certificate. */
function nameProblem(names: readonly string[], certificate: PeerCertificate): Error | undefined {
  const problems = names.map((name) => checkServerIdentity(name, certificate))
  return problems.includes(undefined) ? undefined : problems[0]
}
