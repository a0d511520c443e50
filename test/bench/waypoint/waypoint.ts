import { join } from 'node:path'
import { NEAR } from '../namespaces.ts'
import { Process } from '../processes.ts'
import { GATEWAY, NAMESPACE, serviceAuthority } from './control-plane.ts'
import { ENTRANCE, startFarEnd, startNearEnd } from './ends.ts'
import type { HttpDesign, HttpSurroundings, HttpVersion, Running } from './http-design.types.ts'

const MAIN = join(import.meta.dirname, '../../../packages/waypoint/src/main.ts')
const HBONE_PORT = 15008
const READY_URL = `http://${NEAR}:15021/healthz/ready`

/** The real program, as its pod runs it. */
export function waypointDesigns(): readonly HttpDesign[] {
  return [
    {
      name: 'waypoint',
      summary: 'HBONE in and out; to the server what the client speaks',
      versions: ['h1', 'h2'],
      judges: true,
      warmUpFactor: 8,
      start: (surroundings, version) => startWaypoint(surroundings, version),
    },
    {
      name: 'waypoint-h1',
      summary: 'HBONE in and out; HTTP/1.1 to the server',
      versions: ['h2'],
      judges: true,
      warmUpFactor: 8,
      start: (surroundings) => startWaypoint(surroundings, 'h1'),
    },
  ]
}

async function startWaypoint(surroundings: HttpSurroundings, upstream: HttpVersion): Promise<Running> {
  const { namespaces, stack, credentials, controlPlane, folder } = surroundings
  const far = await startFarEnd(surroundings, { kind: 'hbone' })
  const subject = stack.use(
    await Process.start(namespaces, {
      name: 'waypoint',
      side: 'near',
      command: [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, 'proxy', 'waypoint'],
      env: {
        POD_NAME: 'waypoint-1',
        POD_NAMESPACE: NAMESPACE,
        SERVICE_ACCOUNT: 'waypoint',
        INSTANCE_IP: NEAR,
        ISTIO_META_WORKLOAD_NAME: GATEWAY,
        CA_ADDR: controlPlane.address,
        CA_ROOT_CA: credentials.roots,
        AUTH_TOKEN: 'bench',
        IPV6_ENABLED: 'false',
      },
      stdoutFile: join(folder, 'waypoint.log'),
      ready: isReady,
      // Without the wait for clients that a graceful end has.
      endBy: ['SIGINT', 'SIGINT'],
    }),
  )
  const near = await startNearEnd(surroundings, { kind: 'hbone' }, `${NEAR}:${HBONE_PORT}`)
  return { target: ENTRANCE, connectTo: serviceAuthority(upstream), subjects: [subject], ends: [near, far] }
}

async function isReady(): Promise<boolean> {
  try {
    return (await fetch(READY_URL)).status === 200
  } catch {
    return false
  }
}
