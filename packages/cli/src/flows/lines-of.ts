import { MAX_FLOW_LINE } from '@ambit/flow'
import { DecodeError } from '../errors.ts'

/** The lines of a stream of bytes, empty ones too; what follows the last line feed is not whole, and left out. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
    if (rest.length > MAX_FLOW_LINE)
      throw new DecodeError(`a line of more than ${MAX_FLOW_LINE} characters: this is no stream of flows`)
  }
}
