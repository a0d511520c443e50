import { connect, type Socket } from 'node:net'
import { type CniAddEvent, encodeCniAddEvent } from './cni-add-event.ts'
import { PLUGIN_API_TIMEOUT_MS, PLUGIN_REQUEST_TIMEOUT_MS } from './limits.ts'
import type { AgentAnswer } from './plugin-add.ts'
import { exchange, type HttpAnswer, unixSocket } from './plugin-http.ts'
import type { PluginAccess } from './plugin-kubeconfig.ts'

/** Reads objects of the API server; undefined for one that does not exist. */
export function objectReader({ server, token, caPem }: PluginAccess): (path: string) => Promise<unknown> {
  const { protocol, hostname, port, host } = new URL(server)
  // An IPv6 address stands in brackets in a URL.
  const name = hostname.replace(/^\[(.*)\]$/, '$1')
  const open = async (): Promise<Socket> => {
    if (protocol === 'http:') return connect({ host: name, port: Number(port || 80), allowHalfOpen: true })
    const { connect: connectTls } = await import('node:tls')
    const ca = caPem === undefined ? {} : { ca: caPem }
    const servername = /^[\d.]+$|:/.test(name) ? {} : { servername: name }
    return connectTls({ host: name, port: Number(port || 443), ALPNProtocols: ['http/1.1'], ...ca, ...servername })
  }
  const headers = { host, authorization: `Bearer ${token}`, accept: 'application/json' }
  return async (path) => {
    const { status, text } = await exchange(open, { method: 'GET', path, headers, timeoutMs: PLUGIN_API_TIMEOUT_MS })
    if (status === 404) return undefined
    if (status !== 200) throw new Error(`GET ${server}${path} answered ${status}: ${text.slice(0, 500)}`)
    return JSON.parse(text)
  }
}

/** Asks the agent to decide on a new pod and to enrol it if it is to be; resolves when that is done. */
export async function reportPod(socketPath: string, event: CniAddEvent): Promise<AgentAnswer> {
  let answer: HttpAnswer
  try {
    answer = await askAgent(socketPath, '/cmddecide', event)
  } catch (cause) {
    return { kind: 'away', cause }
  }
  const { status, text } = answer
  if (status !== 200) return { kind: 'failed', message: `the agent answered ${status}: ${text.trim()}` }
  return { kind: 'decided', enrolled: text.startsWith('enrolled'), reason: text.trim() }
}

/** What the agent finds wrong with the pod; nothing when it is away, as the pod goes on without it. */
export async function checkPod(socketPath: string, event: CniAddEvent): Promise<string | undefined> {
  try {
    const { status, text } = await askAgent(socketPath, '/cmdcheck', event)
    return status === 409 ? text.trim() : undefined
  } catch {
    return undefined
  }
}

function askAgent(socketPath: string, path: string, event: CniAddEvent): Promise<HttpAnswer> {
  const headers = { host: 'agent', 'content-type': 'application/json' }
  const body = encodeCniAddEvent(event)
  return exchange(() => unixSocket(socketPath), {
    method: 'POST',
    path,
    headers,
    body,
    timeoutMs: PLUGIN_REQUEST_TIMEOUT_MS,
  })
}
