import type { Counts, EdgeTally } from './edge-tally.ts'
import type { GraphEdge } from './graph.types.ts'
import type { Role } from './legs.ts'

type Sums = Pick<
  GraphEdge,
  'open' | 'connections' | 'requests' | 'denied' | 'failed' | 'bytesFromClient' | 'bytesToClient'
>

/**
 * One number where several proxies told of the same connections. Each of them sees all of an edge or, when it was asked later or lines were
 * lost, less: the larger number counts. A denial is told by who denied; that the client's proxy was refused, or cut, is not a failure
 * beside it.
 */
export function sumEdge({ counts }: Pick<EdgeTally, 'counts'>): Sums {
  const { source, destination, waypoint, gateway } = counts
  const most = (of: (role: Counts) => number): number => Math.max(...ROLES.map((role) => of(counts[role])))
  const cutLater = Math.max(0, destination.denied - source.refused) + waypoint.deniedConnections
  const failedConnections = Math.max(
    source.failed - cutLater,
    destination.failed,
    waypoint.failedConnections,
    gateway.failedConnections,
    0,
  )
  const failedRequests = Math.max(
    waypoint.failed - waypoint.failedConnections,
    gateway.failed - gateway.failedConnections,
  )
  return {
    open: most(({ open }) => open),
    connections: most(({ connections }) => connections),
    requests: most(({ requests }) => requests),
    denied: waypoint.denied + gateway.denied + Math.max(source.refused, destination.denied),
    failed: failedConnections + failedRequests,
    bytesFromClient: most(({ bytesFromClient }) => bytesFromClient),
    bytesToClient: most(({ bytesToClient }) => bytesToClient),
  }
}

const ROLES: readonly Role[] = ['source', 'destination', 'waypoint', 'gateway']
