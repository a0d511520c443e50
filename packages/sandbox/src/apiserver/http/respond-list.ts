import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { JsonObject } from '../json.ts'
import { LIST_SLICE } from '../limits.ts'
import { respond } from './respond.ts'

/** Answers with a list; a long one in slices, so that others have their turn between them. */
export async function respondList<T>(
  response: ServerResponse,
  envelope: JsonObject,
  member: 'items' | 'rows',
  items: readonly T[],
  shape: (item: T) => unknown,
): Promise<void> {
  if (items.length <= LIST_SLICE) return respond(response, 200, { ...envelope, [member]: items.map(shape) })
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' })
  response.write(`${JSON.stringify(envelope).slice(0, -1)},"${member}":[`)
  for (let start = 0; start < items.length; start += LIST_SLICE) {
    const slice = items.slice(start, start + LIST_SLICE).map((item) => JSON.stringify(shape(item)))
    const flowing = response.write(`${start === 0 ? '' : ','}${slice.join(',')}`)
    if (response.destroyed) return
    if (!flowing) await drained(response)
    await nextTurn()
  }
  response.end(']}\n')
}

/** Until the client has read what was written, or has left. */
function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = (): void => {
    response.off('drain', done)
    response.off('close', done)
    resolve()
  }
  response.on('drain', done)
  response.on('close', done)
  return promise
}
