import { json } from '../serve.ts'
import { ask, type Handler, isRecord, passedOn, type Services } from './service-calls.ts'

/** How long it waits for ratings; the two versions differ, which the fault injection tasks are about. */
const RATINGS_TIMEOUT_MS = { black: 10_000, red: 2500 } as const

const TEXTS: readonly (readonly [reviewer: string, text: string])[] = [
  ['Reviewer1', 'Two pairs of twins, one town, and no end of mistakes: I laughed from the first scene to the last.'],
  ['Reviewer2', 'Short, fast and great fun. Whoever looks for depth should look among the later plays.'],
]

export interface ReviewsOptions {
  readonly services: Services
  /** Colour of the stars; without one there are no ratings. */
  readonly stars: 'black' | 'red' | undefined
  readonly podName: string
  readonly clusterName: string | undefined
}

/** `/reviews/<id>`: what people wrote, with stars from the ratings service where this version shows them. */
export function reviews(o: ReviewsOptions): Handler {
  return async (request, response) => {
    request.resume()
    const [path = '/'] = (request.url ?? '/').split('?')
    if (path === '/health') return json(response, 200, { status: 'Reviews is healthy' })
    const id = /^\/reviews\/(\d{1,9})$/.exec(path)?.[1]
    if (id === undefined) return json(response, 404, { error: 'not found' })
    const color = o.stars
    const timeoutMs = color === undefined ? 0 : RATINGS_TIMEOUT_MS[color]
    const given =
      color === undefined
        ? undefined
        : await ask(o.services.ratings, `/ratings/${id}`, { headers: passedOn(request), timeoutMs })
    if (given !== undefined && given.body === undefined)
      process.stdout.write(`Error: unable to contact ratings, got status of ${given.status}\n`)
    const stars = isRecord(given?.body?.['ratings']) ? given.body['ratings'] : {}
    const ratingOf = (reviewer: string): object => {
      const count = stars[reviewer]
      return typeof count === 'number' ? { stars: count, color } : { error: 'Ratings service is currently unavailable' }
    }
    json(response, 200, {
      id,
      podname: o.podName,
      clustername: o.clusterName ?? 'null',
      reviews: TEXTS.map(([reviewer, text]) =>
        color === undefined ? { reviewer, text } : { reviewer, text, rating: ratingOf(reviewer) },
      ),
    })
  }
}
