import type { Socket } from 'node:net'
import { type ClientHello, readClientHello } from './client-hello.ts'
import { MAX_CLIENT_HELLO_BYTES } from './limits.ts'

/** Reads a client's first flight and puts it back, for what a TLS stack tells nobody, or too late. Undefined for what can't be read. */
export async function firstFlight(socket: Socket): Promise<ClientHello | undefined> {
  const { promise, resolve } = Promise.withResolvers<ClientHello | undefined>()
  let bytes: Buffer = Buffer.alloc(0)
  const onReadable = (): void => {
    const more: Buffer | null = socket.read()
    if (more === null) return
    bytes = bytes.length === 0 ? more : Buffer.concat([bytes, more])
    const reading = readClientHello(bytes)
    if (reading.kind === 'incomplete' && bytes.length < MAX_CLIENT_HELLO_BYTES) return
    resolve(reading.kind === 'complete' ? reading.hello : undefined)
  }
  socket.on('readable', onReadable)
  try {
    return await promise
  } finally {
    socket.off('readable', onReadable)
    if (bytes.length > 0) socket.unshift(bytes)
  }
}
