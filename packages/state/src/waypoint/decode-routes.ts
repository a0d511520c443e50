import type { waypointpb as pb } from '@ambit/api'
import { reject } from '../rejection.ts'
import { decodeRoute } from './decode-route.ts'
import type { Route } from './destination.types.ts'

/** Keys under which resources hold route tables, which are read route by route. */
export const ROUTES: ReadonlySet<string> = new Set(['routes'])

export function decodeRoutes(table: pb.RouteTable, path: string): readonly Route[] {
  // The list itself is read route by route; what stands beside it is not understood by anybody.
  if ((table.$unknown ?? []).length > 0) reject('unknown-field', `${path}.routes: unknown field`)
  return table.routes.map((route, index) => decodeRoute(route, `${path}.routes[${index}]`))
}
