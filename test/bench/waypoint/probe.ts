import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect as connectHttp2, constants, type IncomingHttpHeaders } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { CLIENT } from '../namespaces.ts'
import { AUTHORITY, PATH } from './asked.ts'
import type { HttpDesign, HttpVersion, Running } from './http-design.types.ts'

const BODY_BYTES = 1024

/** Before anything is measured: what has to get through does, and what has to be refused is. */
export async function probe(design: HttpDesign, running: Running, version: HttpVersion): Promise<void> {
  await expect(running, version, { method: 'GET', path: PATH }, 200)
  if (!design.judges) return
  await expect(running, version, { method: 'DELETE', path: PATH }, 403)
  await expect(running, version, { method: 'GET', path: '/closed' }, 403)
}

interface Asked {
  readonly method: string
  readonly path: string
}

interface Answered {
  readonly status: number
  readonly bytes: number
}

async function expect(running: Running, version: HttpVersion, asked: Asked, status: number): Promise<void> {
  const socket = await open(running)
  try {
    const answered = version === 'h1' ? await askHttp1(socket, asked) : await askHttp2(socket, asked)
    if (answered.status !== status)
      throw new Error(`${asked.method} ${asked.path} was answered ${answered.status}, not ${status}`)
    if (status === 200 && answered.bytes !== BODY_BYTES)
      throw new Error(`${asked.method} ${asked.path} was answered ${answered.bytes} bytes, not ${BODY_BYTES}`)
  } finally {
    socket.destroy()
  }
}

async function open({ target, connectTo }: Running): Promise<Socket> {
  if (connectTo === undefined) {
    const socket = connect({ ...target, localAddress: CLIENT })
    await once(socket, 'connect')
    return socket
  }
  const tunnel = httpRequest({ ...target, localAddress: CLIENT, method: 'CONNECT', path: connectTo })
  tunnel.end()
  const [answer, socket] = (await once(tunnel, 'connect')) as [IncomingMessage, Socket]
  if (answer.statusCode !== 200) throw new Error(`CONNECT ${connectTo} was answered ${answer.statusCode}`)
  return socket
}

async function askHttp1(socket: Socket, { method, path }: Asked): Promise<Answered> {
  const sent = httpRequest({ createConnection: () => socket, method, path, headers: { host: AUTHORITY } })
  sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: answer.statusCode ?? 0, bytes: await sizeOf(answer) }
}

async function askHttp2(socket: Socket, { method, path }: Asked): Promise<Answered> {
  const session = connectHttp2(`http://${AUTHORITY}`, { createConnection: () => socket })
  const failed = once(session, 'error').then(([error]) => Promise.reject(error as Error))
  failed.catch(() => undefined)
  const stream = session.request({ ':method': method, ':path': path }, { endStream: true })
  const [headers] = (await Promise.race([once(stream, 'response'), failed])) as [IncomingHttpHeaders]
  const bytes = await sizeOf(stream)
  session.close()
  return { status: Number(headers[constants.HTTP2_HEADER_STATUS]), bytes }
}

async function sizeOf(body: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0
  for await (const chunk of body) bytes += chunk.length
  return bytes
}
