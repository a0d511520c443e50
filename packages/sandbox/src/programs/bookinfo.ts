// The four services of Istio's Bookinfo sample: `bookinfo <details|ratings|reviews-vN|productpage>`, on port 9080.
import { hostname } from 'node:os'
import { details } from './bookinfo/details.ts'
import { productPage } from './bookinfo/product-page.ts'
import { ratings } from './bookinfo/ratings.ts'
import { reviews } from './bookinfo/reviews.ts'
import { type Handler, servicesFrom } from './bookinfo/service-calls.ts'
import { serveHttp } from './serve.ts'

const PORT = 9080
const { env } = process
const [role = 'productpage', port = String(PORT)] = process.argv.slice(2)
/** How each version shows ratings; v1 doesn't. */
const STARS: Readonly<Record<string, 'black' | 'red'>> = { 'reviews-v2': 'black', 'reviews-v3': 'red' }

serveHttp(Number(port) || PORT, handlerOf(role))

function handlerOf(name: string): Handler {
  const services = servicesFrom(env)
  if (name === 'productpage') return productPage(services)
  if (name === 'details') return details()
  if (name.startsWith('ratings')) return ratings({ fault: /^ratings-v-(faulty|delayed)$/.exec(name)?.[1] })
  const stars = STARS[name] ?? (env['ENABLE_RATINGS'] === 'true' ? colorFrom(env['STAR_COLOR']) : undefined)
  return reviews({ services, stars, podName: hostname(), clusterName: env['CLUSTER_NAME'] })
}

function colorFrom(text: string | undefined): 'black' | 'red' {
  return text === 'red' ? 'red' : 'black'
}
