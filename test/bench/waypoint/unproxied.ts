import { DIRECT_PORT, FAR } from '../namespaces.ts'
import { serviceAuthority } from './control-plane.ts'
import { ENTRANCE, type Ends, FAR_PORT, startFarEnd, startNearEnd } from './ends.ts'
import type { HttpDesign, HttpSurroundings, HttpVersion, Running } from './http-design.types.ts'

const VERSIONS = ['h1', 'h2'] as const

/** No proxy, and the ends alone: what of the others' figures is not theirs. */
export function unproxiedDesigns(): readonly HttpDesign[] {
  return [
    {
      name: 'direct',
      summary: 'no proxy',
      versions: VERSIONS,
      judges: false,
      start: () => Promise.resolve({ target: { host: FAR, port: DIRECT_PORT }, subjects: [], ends: [] }),
    },
    {
      name: 'ends-tls',
      summary: 'the two ends of nginx and haproxy with nothing between',
      versions: VERSIONS,
      judges: false,
      start: (surroundings, version) => startEnds(surroundings, { kind: 'tls', version, upstream: version }, version),
    },
    {
      name: 'ends-hbone',
      summary: 'the two ends of the waypoint with nothing between',
      versions: VERSIONS,
      judges: false,
      start: (surroundings, version) => startEnds(surroundings, { kind: 'hbone' }, version),
    },
  ]
}

async function startEnds(surroundings: HttpSurroundings, ends: Ends, version: HttpVersion): Promise<Running> {
  const far = await startFarEnd(surroundings, ends)
  const near = await startNearEnd(surroundings, ends, `${FAR}:${FAR_PORT}`)
  return {
    target: ENTRANCE,
    subjects: [],
    ends: [near, far],
    ...(ends.kind === 'hbone' ? { connectTo: serviceAuthority(version) } : {}),
  }
}
