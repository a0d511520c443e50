import { get as httpGet, type IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'
import type { Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { codeOf, formatSocketAddress, messageOf, parseIp, type SocketAddress, type SocketFactory } from '@ambit/core'
import type { ExecSession } from '../apiserver/contract.types.ts'
import { LIMITS } from '../limits.ts'
import type { Container, HttpGetAction, Probe } from '../objects/pod.types.ts'
import { goDuration } from './crash-backoff.ts'
import { grpcProbe } from './grpc-probe.ts'

export interface ProbeTarget {
  readonly podIp: string
  readonly container: Container
  /** Sockets of the node: probes come from the node's own address. */
  readonly sockets: SocketFactory
  exec(command: readonly string[], signal: AbortSignal): ExecSession
}

export interface ProbeResult {
  readonly ok: boolean
  readonly message: string
}

type DialTarget = Pick<ProbeTarget, 'podIp' | 'container' | 'sockets'>

/** Runs one probe once. */
export async function runProbe(probe: Probe, target: ProbeTarget): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
  try {
    if (probe.exec) return await execProbe(probe.exec.command ?? [], target, timeoutMs)
    if (probe.httpGet) return await httpProbe(probe.httpGet, target, timeoutMs)
    if (probe.grpc) return await healthProbe(probe.grpc, target, timeoutMs)
    if (!probe.tcpSocket) return { ok: true, message: '' }
    const to = addressOf(probe.tcpSocket.host, probe.tcpSocket.port, target)
    try {
      ;(await target.sockets.dial({ to, timeoutMs })).destroy()
      return { ok: true, message: '' }
    } catch (error) {
      return { ok: false, message: dialFailure(to, error) }
    }
  } catch (error) {
    return { ok: false, message: messageOf(error) }
  }
}

async function execProbe(command: readonly string[], target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  const signal = AbortSignal.timeout(timeoutMs)
  const session = target.exec(command, signal)
  const chunks: Buffer[] = []
  let size = 0
  for (const stream of [session.stdout, session.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= LIMITS.probeBodyBytes) chunks.push(chunk)
    })
  }
  const exit = await session.exit
  const output = Buffer.concat(chunks).toString().trim()
  if (signal.aborted)
    return { ok: false, message: `command timed out: "${command.join(' ')}" timed out after ${goDuration(timeoutMs)}` }
  return 'code' in exit && exit.code === 0
    ? { ok: true, message: output }
    : { ok: false, message: output || ('error' in exit ? exit.error : `exit code ${exit.code}`) }
}

async function healthProbe(
  grpc: NonNullable<Probe['grpc']>,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeResult> {
  const to = addressOf(undefined, grpc.port, target)
  const signal = AbortSignal.timeout(timeoutMs)
  const late = `timeout: failed to connect service "${formatSocketAddress(to)}" within ${goDuration(timeoutMs)}`
  try {
    using connection = disposable(await target.sockets.dial({ to, timeoutMs }))
    return await grpcProbe(connection.socket, grpc.service ?? '', signal)
  } catch (error) {
    return { ok: false, message: signal.aborted ? late : dialFailure(to, error) }
  }
}

/** Any status from 200 to 399 is success (Kubernetes); redirects that stay on the host are followed. */
export async function httpProbe(action: HttpGetAction, target: DialTarget, timeoutMs: number): Promise<ProbeResult> {
  const to = addressOf(action.host, action.port, target)
  const scheme = action.scheme?.toUpperCase() === 'HTTPS' ? 'https' : 'http'
  let url = new URL(`${scheme}://${formatSocketAddress(to)}`)
  // The path may hold a query, and whatever else of a path a person writes.
  url = new URL(`${url.origin}${(action.path ?? '/').replace(/^(?!\/)/, '/')}`)
  const signal = AbortSignal.timeout(timeoutMs)
  for (let followed = 0; followed <= LIMITS.probeRedirects; followed++) {
    const answer = await ask(url, action, target, { signal, timeoutMs })
    if ('message' in answer) return { ok: false, message: `Get "${url.href}": ${answer.message}` }
    const next = answer.location === undefined ? undefined : URL.parse(answer.location, url)
    if (next === undefined || next === null || answer.status < 300 || answer.status > 399) return verdict(answer.status)
    if (next.hostname !== url.hostname || !/^https?:$/.test(next.protocol)) return verdict(answer.status)
    url = next
  }
  return { ok: false, message: `Get "${url.href}": stopped after ${LIMITS.probeRedirects} redirects` }
}

function verdict(status: number): ProbeResult {
  const ok = status >= 200 && status < 400
  return { ok, message: ok ? '' : `HTTP probe failed with statuscode: ${status}` }
}

type HttpAnswer = { readonly status: number; readonly location: string | undefined } | { readonly message: string }

async function ask(
  url: URL,
  action: HttpGetAction,
  target: DialTarget,
  o: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<HttpAnswer> {
  const secure = url.protocol === 'https:'
  const ip = parseIp(url.hostname.replace(/^\[|\]$/g, ''))
  if (ip === undefined) return { message: `${url.hostname} is no IP address` }
  const to = { ip, port: Number(url.port || (secure ? 443 : 80)) }
  try {
    using connection = disposable(await target.sockets.dial({ to, timeoutMs: o.timeoutMs }))
    const tcp = connection.socket
    // Certificates of probes are not verified, as in Kubernetes.
    const socket: Socket = secure ? tlsConnect({ socket: tcp, rejectUnauthorized: false }) : tcp
    const own = Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name.toLowerCase(), value]))
    const options = {
      host: to.ip,
      port: to.port,
      path: `${url.pathname}${url.search}`,
      headers: { 'user-agent': 'kube-probe/1.33', accept: '*/*', connection: 'close', ...own },
      createConnection: () => socket,
      signal: o.signal,
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = (secure ? httpsGet : httpGet)(options, resolve)
      request.once('error', reject)
    })
    response.on('error', () => undefined).resume()
    return { status: response.statusCode ?? 0, location: response.headers.location }
  } catch (error) {
    const late = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    return { message: o.signal.aborted ? late : dialFailure(to, error) }
  }
}

/** In the words of Go, which people search for. */
function dialFailure(to: SocketAddress, error: unknown): string {
  const place = `dial tcp ${formatSocketAddress(to)}`
  if (codeOf(error) === 'ECONNREFUSED') return `${place}: connect: connection refused`
  if (codeOf(error) === 'ETIMEDOUT') return `${place}: i/o timeout`
  return messageOf(error)
}

function disposable(socket: Socket): Disposable & { readonly socket: Socket } {
  return { socket, [Symbol.dispose]: () => socket.destroy() }
}

function addressOf(
  host: string | undefined,
  port: number | string,
  target: Pick<ProbeTarget, 'podIp' | 'container'>,
): SocketAddress {
  const ip = parseIp(host || target.podIp)
  if (ip === undefined) throw new TypeError(`probe host ${host || target.podIp} is no IP address`)
  const numeric = typeof port === 'number' ? port : /^\d+$/.test(port) ? Number(port) : undefined
  const named = target.container.ports?.find(({ name }) => name === port)?.containerPort
  const resolved = numeric ?? named
  if (resolved === undefined) throw new TypeError(`container has no port named ${port}`)
  return { ip, port: resolved }
}
