import { Duplex, PassThrough } from 'node:stream'
import { messageOf } from '@ambit/core'
import { KubeApiError } from '@ambit/kube'
import type { KubeConfig } from '@kubernetes/client-node'
import { PortForward } from '@kubernetes/client-node'
import { ClusterError } from '../errors.ts'

/** What is used of the WebSocket that the Kubernetes client hands out. */
interface CloseableSocket {
  addEventListener(event: 'close' | 'error', listener: () => void): void
  close(): void
  pause(): void
  resume(): void
}

/** A connection to a pod's port through the API server; it ends when either side ends it. */
export async function dialPod(
  config: KubeConfig,
  target: { readonly namespace: string; readonly pod: string; readonly port: number },
): Promise<Duplex> {
  const what = `port ${target.port} of pod ${target.pod}.${target.namespace}`
  const fromPod = new PassThrough()
  const toPod = new PassThrough()
  const errors = new PassThrough()
  const forward = new PortForward(config)
  const { namespace, pod, port } = target
  const socket: unknown = await forward
    .portForward(namespace, pod, [port], fromPod, errors, toPod)
    .catch((error: unknown) => {
      throw refusalOf(error, namespace)
    })
  if (!isSocket(socket)) throw new ClusterError(`${what}: the Kubernetes client gave no connection`)
  const connection = new PodConnection(fromPod, toPod, socket)
  errors.on('data', (text: Buffer) => {
    const reason = text.toString('utf8').trim()
    // The first two bytes of the channel may be all there is: they only name the port.
    if (reason !== '') connection.destroy(new ClusterError(`${what}: ${reason}; is the pod running?`))
  })
  socket.addEventListener('error', () => {
    connection.destroy(new ClusterError(`${what}: the API server broke the connection`))
  })
  socket.addEventListener('close', () => fromPod.end())
  return connection
}

/** Two one-way streams as one connection. */
class PodConnection extends Duplex {
  readonly #fromPod: PassThrough
  readonly #toPod: PassThrough
  readonly #socket: CloseableSocket

  constructor(fromPod: PassThrough, toPod: PassThrough, socket: CloseableSocket) {
    super()
    this.#fromPod = fromPod
    this.#toPod = toPod
    this.#socket = socket
    fromPod.on('data', (chunk: Buffer) => {
      if (this.push(chunk)) return
      fromPod.pause()
      // The client writes without asking whether anybody reads.
      socket.pause()
    })
    fromPod.on('end', () => this.push(null))
  }

  override _read(): void {
    this.#socket.resume()
    this.#fromPod.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#toPod.write(chunk, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // A socket that stands still would not see its own end.
    this.#socket.resume()
    this.#socket.close()
    done(error)
  }
}

function isSocket(value: unknown): value is CloseableSocket {
  return typeof value === 'object' && value !== null && 'addEventListener' in value && 'pause' in value
}

/** The client rejects with an event, whose text alone says what the API server answered. */
function refusalOf(event: unknown, namespace: string): Error {
  const { message }: { readonly message?: unknown } = typeof event === 'object' && event !== null ? event : {}
  const text = typeof message === 'string' && message !== '' ? message : messageOf(event)
  const status = Number(/server response: (\d{3})$/.exec(text)?.[1] ?? 0)
  if (status !== HTTP_UNAUTHORIZED && status !== HTTP_FORBIDDEN) return new ClusterError(text, { cause: event })
  const right = `it takes the rights get and create on pods/portforward in namespace ${namespace}`
  return new KubeApiError(
    `refused (${status}): ${right}`,
    status,
    status === HTTP_FORBIDDEN ? 'Forbidden' : 'Unauthorized',
  )
}

const HTTP_UNAUTHORIZED = 401
const HTTP_FORBIDDEN = 403
