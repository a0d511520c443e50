import { waypointpb } from '@ambit/api'
import { create } from '@bufbuild/protobuf'
import { isEveryHost } from './hostnames.ts'
import type { CompiledRoute } from './route.ts'
import { byPrecedence } from './route-precedence.ts'

/** A route as one listener takes it. */
export interface HostedRoute {
  readonly hostnames: readonly string[]
  readonly routes: readonly CompiledRoute[]
}

/** For each host the routes that name it, in Gateway API's order; hosts with the same routes go together. */
export function virtualHostsOf(hosted: readonly HostedRoute[]): readonly waypointpb.VirtualHost[] {
  const ofHost = new Map<string, number[]>()
  for (const [index, { hostnames }] of hosted.entries())
    for (const host of new Set(hostnames.map(spelled))) ofHost.getOrInsertComputed(host, () => []).push(index)
  const groups = new Map<string, string[]>()
  for (const [host, indices] of ofHost) groups.getOrInsertComputed(indices.join(), () => []).push(host)
  return [...groups]
    .map(([indices, hosts]) => virtualHost(hosts.sort(), routesOf(hosted, indices)))
    .sort((a, b) => (String(a.hostnames[0]) < String(b.hostnames[0]) ? -1 : 1))
}

export function virtualHost(hostnames: readonly string[], routes: readonly waypointpb.Route[]): waypointpb.VirtualHost {
  return create(waypointpb.VirtualHostSchema, { hostnames: [...hostnames], routes: { routes: [...routes] } })
}

function routesOf(hosted: readonly HostedRoute[], indices: string): readonly waypointpb.Route[] {
  return indices
    .split(',')
    .flatMap((index) => hosted[Number(index)]?.routes ?? [])
    .sort(byPrecedence)
    .map(({ message }) => message)
}

function spelled(host: string): string {
  return isEveryHost(host) ? '*' : host
}
