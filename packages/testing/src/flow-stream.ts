import { once } from 'node:events'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { decodeFlowLine, type Flow } from '@ambit/flow'

/** What an administration port on loopback tells when it is asked once; the query begins with `?`. */
export async function flowsAt(port: number, query = ''): Promise<readonly Flow[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/flows${query}`)
  if (answer.status !== 200) throw new Error(`/flows answered ${answer.status}: ${await answer.text()}`)
  return (await answer.text()).split('\n').flatMap((line) => (line === '' ? [] : [flowIn(line)]))
}

/** A client that follows an administration port on loopback. */
export class FlowStream implements Disposable {
  readonly #request: ClientRequest
  readonly #lines: AsyncIterator<string>

  private constructor(request: ClientRequest, response: IncomingMessage) {
    this.#request = request
    this.#lines = createInterface({ input: response })[Symbol.asyncIterator]()
  }

  /** The query begins with `&`. */
  static async open(port: number, query = ''): Promise<FlowStream> {
    const request = get(`http://127.0.0.1:${port}/flows?watch=true${query}`)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return new FlowStream(request, response)
  }

  /** The next flow like that; those before it are gone. */
  async until(isWanted: (flow: Flow) => boolean): Promise<Flow> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw new Error('the stream of flows ended')
      if (value === '') continue
      const flow = flowIn(value)
      if (isWanted(flow)) return flow
    }
  }

  [Symbol.dispose](): void {
    this.#request.destroy()
  }
}

function flowIn(line: string): Flow {
  const read = decodeFlowLine(line)
  if ('flow' in read) return read.flow
  throw new Error(`${read.lost} lines of flows were lost`)
}
