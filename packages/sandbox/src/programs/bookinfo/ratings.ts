import { setTimeout as delay } from 'node:timers/promises'
import { json, readBody } from '../serve.ts'
import { type Handler, isRecord } from './service-calls.ts'

const DEFAULT_RATINGS = { Reviewer1: 5, Reviewer2: 4 }
/** Books whose ratings were set; beyond that many they are refused. */
const MAX_BOOKS = 100
const FAULT_SHARE = 0.5
const FAULT_DELAY_MS = 7000

/** `/ratings/<id>`: GET says how many stars each reviewer gave, POST sets them until the program ends. */
export function ratings(o: { readonly fault: string | undefined }): Handler {
  const own = new Map<number, unknown>()
  return async (request, response) => {
    const [path = '/'] = (request.url ?? '/').split('?')
    if (path === '/health') return json(response, 200, { status: 'Ratings is healthy' })
    const text = /^\/ratings\/([^/]*)$/.exec(path)?.[1]
    if (text === undefined) return json(response, 404, { error: 'not found' })
    if (!/^\d{1,9}$/.test(text)) return json(response, 400, { error: 'please provide numeric product ID' })
    const id = Number(text)
    if (request.method === 'POST') {
      const given = parsed((await readBody(request)).toString())
      if (!isRecord(given)) return json(response, 400, { error: 'please provide valid ratings JSON' })
      if (!own.has(id) && own.size >= MAX_BOOKS) return json(response, 507, { error: 'no room for another book' })
      own.set(id, given)
    }
    request.resume()
    const hit = o.fault !== undefined && Math.random() < FAULT_SHARE
    if (hit && o.fault === 'faulty') return json(response, 503, { error: 'Service unavailable' })
    if (hit) await delay(FAULT_DELAY_MS)
    json(response, 200, { id, ratings: own.get(id) ?? DEFAULT_RATINGS })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
