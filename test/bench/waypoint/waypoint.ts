import { join } from 'node:path'
import { NEAR } from '../namespaces.ts'
import { portOpen } from '../port-open.ts'
import { Process } from '../processes.ts'
import { GATEWAY, LISTENER_PORT, NAMESPACE, serviceAuthority } from './control-plane.ts'
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
    {
      name: 'gateway',
      summary: 'mutual TLS in, HBONE out; HTTP/1.1 to the server',
      versions: ['h1', 'h2'],
      judges: true,
      warmUpFactor: 8,
      start: (surroundings, version) => startGateway(surroundings, version),
    },
  ]
}

async function startWaypoint(surroundings: HttpSurroundings, upstream: HttpVersion): Promise<Running> {
  const far = await startFarEnd(surroundings, { kind: 'hbone' })
  const subject = await startProgram(surroundings, 'waypoint', isReady)
  const near = await startNearEnd(surroundings, { kind: 'hbone' }, `${NEAR}:${HBONE_PORT}`)
  return { target: ENTRANCE, connectTo: serviceAuthority(upstream), subjects: [subject], ends: [near, far] }
}

/** As an ingress gateway, between the ends that nginx and haproxy have in front and waypoints behind. */
async function startGateway(surroundings: HttpSurroundings, version: HttpVersion): Promise<Running> {
  const far = await startFarEnd(surroundings, { kind: 'hbone' })
  const listens = (): Promise<boolean> => portOpen(NEAR, LISTENER_PORT)
  const subject = await startProgram(surroundings, 'router', async () => (await isReady()) && (await listens()))
  const near = await startNearEnd(surroundings, { kind: 'tls', version, upstream: 'h1' }, `${NEAR}:${LISTENER_PORT}`)
  return { target: ENTRANCE, subjects: [subject], ends: [near, far] }
}

async function startProgram(
  { namespaces, stack, credentials, controlPlane, folder }: HttpSurroundings,
  role: 'waypoint' | 'router',
  isUp: () => Promise<boolean>,
): Promise<Process> {
  return stack.use(
    await Process.start(namespaces, {
      name: role,
      side: 'near',
      command: [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, 'proxy', role],
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
      stdoutFile: join(folder, `${role}.log`),
      ready: isUp,
      // Without the wait for clients that a graceful end has.
      endBy: ['SIGINT', 'SIGINT'],
    }),
  )
}

async function isReady(): Promise<boolean> {
  try {
    return (await fetch(READY_URL)).status === 200
  } catch {
    return false
  }
}
