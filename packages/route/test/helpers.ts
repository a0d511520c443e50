import { waypointpb as pb } from '@ambit/api'
import { type Backend, decodeDestination, type HeaderChanges, type Route } from '@ambit/state'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type HeaderList, indexHeaders, type RequestView } from '../src/index.ts'

export type RouteInit = MessageInitShape<typeof pb.RouteSchema>
/** As written down, not a message. */
export type PlainRoute = Exclude<RouteInit, pb.Route>
export type MatchInit = Exclude<MessageInitShape<typeof pb.RouteMatchSchema>, pb.RouteMatch>

export const TO_CART = {
  case: 'backends' as const,
  value: { backends: [{ namespace: 'shop', hostname: 'cart', port: 80, weight: 1 }] },
}

/** Routes as a proxy reads them from the wire. */
export function routesOf(...routes: readonly RouteInit[]): readonly Route[] {
  const value = { namespace: 'shop', hostname: 'cart', ports: [{ number: 80, routes: { routes: [...routes] } }] }
  const message = create(pb.DestinationSchema, { target: { case: 'service', value } })
  const decoded = decodeDestination(toBinary(pb.DestinationSchema, message))
  if (!decoded.ok || decoded.value.kind !== 'service') throw new Error(JSON.stringify(decoded))
  return decoded.value.ports.get(80)?.routes ?? []
}

export function routeOf(init: PlainRoute): Route {
  const [route] = routesOf({ action: TO_CART, ...init })
  if (route?.action.kind === 'fixed-status' && route.action.problem !== undefined) throw new Error(route.action.problem)
  return route!
}

export function request(
  path = '/',
  { method = 'GET', query = '', headers = [] }: { method?: string; query?: string; headers?: HeaderList } = {},
): RequestView {
  return { method, path, query, header: indexHeaders(headers, 'cart') }
}

export const changes = (over: Partial<HeaderChanges>): HeaderChanges => ({ set: [], add: [], remove: [], ...over })

export function backend(over: Partial<Backend> = {}): Backend {
  return {
    service: 'shop/cart',
    port: 80,
    weight: 1,
    invalid: false,
    protocol: 'http',
    requestHeaders: changes({}),
    responseHeaders: changes({}),
    trafficPolicy: '',
    subset: '',
    ...over,
  }
}

/** The same chances in every run. */
export function chances(seed = 1): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
