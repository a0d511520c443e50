import { json } from '../serve.ts'
import type { Handler } from './service-calls.ts'

/** `/details/<id>`: what a book is. */
export function details(): Handler {
  return async (request, response) => {
    request.resume()
    const [path = '/'] = (request.url ?? '/').split('?')
    if (path === '/health') return json(response, 200, { status: 'Details is healthy' })
    const id = /^\/details\/(\d{1,9})$/.exec(path)?.[1]
    if (path.startsWith('/details/') && id === undefined)
      return json(response, 400, { error: 'please provide numeric product id' })
    if (id === undefined) return json(response, 404, { error: 'not found' })
    json(response, 200, {
      id: Number(id),
      author: 'William Shakespeare',
      year: 1595,
      type: 'paperback',
      pages: 200,
      publisher: 'PublisherA',
      language: 'English',
      'ISBN-10': '1234567890',
      'ISBN-13': '123-1234567890',
    })
  }
}
