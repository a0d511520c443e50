import { Duplex, PassThrough } from 'node:stream'
import type { KubeConfig } from '@kubernetes/client-node'
import { PortForward } from '@kubernetes/client-node'
import { ClusterError } from '../errors.ts'

/** What is used of the WebSocket that the Kubernetes client hands out. */
interface CloseableSocket {
  addEventListener(event: 'close' | 'error', listener: () => void): void
  close(): void
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
  const socket: unknown = await forward.portForward(target.namespace, target.pod, [target.port], fromPod, errors, toPod)
  if (!isSocket(socket)) throw new ClusterError(`${what}: the Kubernetes client gave no connection`)
  const connection = new PodConnection(fromPod, toPod, () => socket.close())
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
  readonly #onClosed: () => void

  constructor(fromPod: PassThrough, toPod: PassThrough, onClosed: () => void) {
    super()
    this.#fromPod = fromPod
    this.#toPod = toPod
    this.#onClosed = onClosed
    fromPod.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) fromPod.pause()
    })
    fromPod.on('end', () => this.push(null))
  }

  override _read(): void {
    this.#fromPod.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#toPod.write(chunk, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#onClosed()
    done(error)
  }
}

function isSocket(value: unknown): value is CloseableSocket {
  return typeof value === 'object' && value !== null && 'addEventListener' in value
}
