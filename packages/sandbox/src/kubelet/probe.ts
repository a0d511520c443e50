import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import type { Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { messageOf, parseIp, type SocketAddress, type SocketFactory } from '@ambit/core'
import type { ExecSession } from '../apiserver/contract.types.ts'
import { LIMITS } from '../limits.ts'
import type { Container, HttpGetAction, Probe } from '../objects/pod.types.ts'

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

/** Runs one probe once. */
export async function runProbe(probe: Probe, target: ProbeTarget): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
  try {
    if (probe.exec) return await execProbe(probe.exec.command ?? [], target, timeoutMs)
    if (probe.httpGet) return await httpProbe(probe.httpGet, target, timeoutMs)
    const port = probe.tcpSocket?.port ?? probe.grpc?.port
    if (port === undefined) return { ok: true, message: '' }
    const to = addressOf(probe.tcpSocket?.host, port, target)
    ;(await target.sockets.dial({ to, timeoutMs })).destroy()
    return { ok: true, message: '' }
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
  if (signal.aborted) return { ok: false, message: `command timed out after ${timeoutMs} ms` }
  return 'code' in exit && exit.code === 0
    ? { ok: true, message: output }
    : { ok: false, message: output || JSON.stringify(exit) }
}

/** Any status from 200 to 399 is success (Kubernetes). Redirects are not followed. */
export async function httpProbe(
  action: HttpGetAction,
  target: Pick<ProbeTarget, 'podIp' | 'container' | 'sockets'>,
  timeoutMs: number,
): Promise<ProbeResult> {
  const to = addressOf(action.host, action.port, target)
  const secure = action.scheme?.toUpperCase() === 'HTTPS'
  const signal = AbortSignal.timeout(timeoutMs)
  const tcp = await target.sockets.dial({ to, timeoutMs })
  // Certificates of probes are not verified, as in Kubernetes.
  const socket: Socket = secure ? tlsConnect({ socket: tcp, rejectUnauthorized: false }) : tcp
  try {
    const headers = Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name, value]))
    const options = {
      host: to.ip,
      port: to.port,
      path: encodeURI(action.path ?? '/').replace(/^(?!\/)/, '/'),
      headers: { 'user-agent': 'kube-probe/1.33', accept: '*/*', connection: 'close', ...headers },
      createConnection: () => socket,
      signal,
    }
    const status = await new Promise<number>((resolve, reject) => {
      const request = (secure ? httpsGet : httpGet)(options, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      request.once('error', reject)
    })
    const ok = status >= 200 && status < 400
    return { ok, message: ok ? '' : `HTTP probe failed with statuscode: ${status}` }
  } catch (error) {
    return { ok: false, message: signal.aborted ? `no answer within ${timeoutMs} ms` : messageOf(error) }
  } finally {
    socket.destroy()
    tcp.destroy()
  }
}

function addressOf(
  host: string | undefined,
  port: number | string,
  target: Pick<ProbeTarget, 'podIp' | 'container'>,
): SocketAddress {
  const ip = parseIp(host ?? target.podIp)
  if (ip === undefined) throw new TypeError(`probe host ${host ?? target.podIp} is no IP address`)
  const numeric = typeof port === 'number' ? port : /^\d+$/.test(port) ? Number(port) : undefined
  const named = target.container.ports?.find(({ name }) => name === port)?.containerPort
  const resolved = numeric ?? named
  if (resolved === undefined) throw new TypeError(`container has no port named ${port}`)
  return { ip, port: resolved }
}
