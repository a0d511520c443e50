import { TYPE_URLS, waypointpb } from '../../../packages/api/src/index.ts'
import {
  addressBytes,
  type CertificateMaker,
  destinationResource,
  httpAuthorizationResource,
  type PortInit,
  ScriptedXds,
  type ScriptedXdsOptions,
  serviceResource,
  settingsResource,
  type WorkloadInit,
  workloadResource,
} from '../../../packages/testing/src/index.ts'
import { answerCertificateRequest, CA_NAME } from '../ca.ts'
import { CLIENT, DIRECT_PORT, FAR, NEAR } from '../namespaces.ts'
import { AUTHORITY } from './asked.ts'

export const NAMESPACE = 'bench'
export const GATEWAY = 'waypoint'

const VIP = '10.96.0.1'

/** Ports of the service, by what the waypoint speaks to the endpoint. */
const SERVICE_PORTS = { h1: 80, h2: 81 } as const

export function serviceAuthority(upstream: keyof typeof SERVICE_PORTS): string {
  return `${VIP}:${SERVICE_PORTS[upstream]}`
}

/** What a waypoint gets from its control plane, at one address: its state by the real delta server, its certificate from a real authority. */
export class BenchControlPlane implements AsyncDisposable {
  readonly #xds: ScriptedXds

  private constructor(xds: ScriptedXds) {
    this.#xds = xds
  }

  static async start(certificates: CertificateMaker): Promise<BenchControlPlane> {
    const xds = await ScriptedXds.start({
      certificates,
      dnsNames: [CA_NAME, '127.0.0.1'],
      services: [certificateService(certificates)],
    })
    fill(xds)
    return new BenchControlPlane(xds)
  }

  get address(): string {
    return this.#xds.address
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#xds[Symbol.asyncDispose]()
  }
}

/** Signs whatever identity is asked for: for this benchmark's own namespaces only. */
function certificateService(certificates: CertificateMaker): NonNullable<ScriptedXdsOptions['services']>[number] {
  const same = (bytes: Buffer): Buffer => bytes
  return {
    definition: {
      createCertificate: {
        path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    },
    implementation: {
      createCertificate: (call: { readonly request: Buffer }, answer: (error: null, response: Buffer) => void) =>
        answer(null, answerCertificateRequest(certificates.ca, call.request)),
    },
  }
}

/** One service with one endpoint, one policy that asks for identity, method and path, one route. */
function fill({ table }: ScriptedXds): void {
  const ports = Object.values(SERVICE_PORTS).map((servicePort) => ({ servicePort, targetPort: DIRECT_PORT }))
  const workload = (name: string, address: string, services: WorkloadInit['services'] = {}): WorkloadInit => ({
    uid: `Kubernetes//Pod/${NAMESPACE}/${name}`,
    name,
    namespace: NAMESPACE,
    serviceAccount: name,
    addresses: [addressBytes(address)],
    tunnelProtocol: 1,
    workloadName: name,
    canonicalName: name,
    canonicalRevision: 'v1',
    clusterId: 'Kubernetes',
    services,
  })
  const service = serviceResource({
    name: 'web',
    namespace: NAMESPACE,
    hostname: AUTHORITY,
    addresses: [{ network: '', address: addressBytes(VIP) }],
    ports,
    canonical: true,
  })
  const workloads = [
    workload('client', CLIENT),
    workload('waypoint', NEAR),
    workload('server', FAR, { [`${NAMESPACE}/${AUTHORITY}`]: { ports } }),
  ]
  const destination = destinationResource({
    target: {
      case: 'service',
      value: {
        namespace: NAMESPACE,
        hostname: AUTHORITY,
        ports: [port(SERVICE_PORTS.h1, waypointpb.Protocol.HTTP), port(SERVICE_PORTS.h2, waypointpb.Protocol.HTTP2)],
      },
    },
    authorizationPolicies: [`${NAMESPACE}/readers`],
  })
  const policy = httpAuthorizationResource({
    namespace: NAMESPACE,
    name: 'readers',
    rules: [
      {
        from: [{ principals: [`cluster.local/ns/${NAMESPACE}/sa/client`] }],
        to: [{ methods: ['GET'], paths: ['/api/*'] }],
      },
    ],
  })
  const settings = settingsResource({
    namespace: NAMESPACE,
    gateway: GATEWAY,
    trustDomain: 'cluster.local',
    rootNamespace: 'istio-system',
    connectTimeoutMs: 2000,
  })
  table.update(TYPE_URLS.address, { upserts: [service, ...workloads.map((each) => workloadResource(each))] })
  table.update(TYPE_URLS.httpAuthorization, { upserts: [policy] })
  table.update(TYPE_URLS.destination, { upserts: [destination] })
  table.update(TYPE_URLS.waypointSettings, { upserts: [settings] })
}

function port(number: number, protocol: waypointpb.Protocol): PortInit {
  const backend = { namespace: NAMESPACE, hostname: AUTHORITY, port: number, weight: 1, protocol }
  return {
    number,
    protocol,
    routes: {
      routes: [
        {
          name: `${NAMESPACE}.web.0`,
          match: { path: { case: 'pathPrefix', value: '/api' } },
          action: { case: 'backends', value: { backends: [backend] } },
        },
      ],
    },
  }
}
