import { KubeAnswerError } from './errors.ts'
import { MAX_WATCH_LINE_BYTES } from './limits.ts'

/** Splits a byte stream into lines; a line longer than the limit is an error, not memory. */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number = MAX_WATCH_LINE_BYTES,
): AsyncGenerator<string> {
  let held: Buffer[] = []
  let heldBytes = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...held, chunk.subarray(start, end)])
      if (line.length > maxBytes) throw tooLong(maxBytes)
      held = []
      heldBytes = 0
      start = end + 1
      if (line.length > 0) yield line.toString('utf8')
    }
    const rest = chunk.subarray(start)
    heldBytes += rest.length
    if (heldBytes > maxBytes) throw tooLong(maxBytes)
    if (rest.length > 0) held.push(rest)
  }
  if (heldBytes > 0) yield Buffer.concat(held).toString('utf8')
}

function tooLong(maxBytes: number): KubeAnswerError {
  return new KubeAnswerError(`a line of a watch is above ${maxBytes} bytes`)
}
