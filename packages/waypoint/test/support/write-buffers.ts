import type { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/**
 * Makes the stream take text as bytes, and nothing for nothing. Node's HTTP writes heads as strings and, to flush them, an empty string.
 * An HTTP/2 stream that gets both in one go sends freed memory in place of the head (26.10): bytes of other requests could reach an
 * endpoint. With buffers it keeps the head back until more is written.
 */
export function writeBuffersOnly(stream: Duplex): void {
  const write = stream.write.bind(stream) as (chunk: unknown, encoding: undefined, done: Done) => boolean
  let pending = 0
  let waiting: Done[] = []
  const written = (done: Done | undefined): Done => {
    pending++
    return (error) => {
      pending--
      done?.(error)
      if (pending > 0) return
      const told = waiting
      waiting = []
      for (const each of told) each(error)
    }
  }
  stream.write = ((chunk: string | Uint8Array, encoding?: BufferEncoding | Done, done?: Done): boolean => {
    const callback = typeof encoding === 'function' ? encoding : done
    if (chunk.length === 0) {
      if (callback !== undefined && pending === 0) process.nextTick(callback)
      else if (callback !== undefined) waiting.push(callback)
      return !stream.writableNeedDrain
    }
    const bytes =
      typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : chunk
    return write(bytes, undefined, written(callback))
  }) as Duplex['write']
}
