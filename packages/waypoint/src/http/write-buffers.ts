import type { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/**
 * Makes the stream take text as bytes. Node's HTTP writes its heads as strings, and an HTTP/2 stream that is given a string and then
 * an empty one in one go sends freed memory in place of the first (26.10): other requests' bytes could reach an endpoint.
 */
export function writeBuffersOnly(stream: Duplex): void {
  const write = stream.write.bind(stream) as (chunk: unknown, encoding: BufferEncoding | undefined, done: Done | undefined) => boolean
  stream.write = ((chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean => {
    const callback = typeof encoding === 'function' ? encoding : done
    if (typeof chunk !== 'string') return write(chunk, undefined, callback)
    return write(Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8'), undefined, callback)
  }) as Duplex['write']
}
