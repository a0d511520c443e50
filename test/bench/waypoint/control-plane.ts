import { TYPE_URLS, waypointpb } from '../../../packages/api/src/index.ts'
import {
  addressBytes,
  type CertificateMaker,
  credentialResource,
  destinationResource,
  httpAuthorizationResource,
  type PortInit,
  ScriptedXds,
  type ScriptedXdsOptions,
  type SettingsInit,
  serviceResource,
  settingsResource,
  type WorkloadInit,
  workloadResource,
} from '../../../packages/testing/src/index.ts'
import { answerCertificateRequest, CA_NAME } from '../ca.ts'
import { CLIENT, DIRECT_PORT, FAR, NEAR } from '../namespaces.ts'
import { AUTHORITY } from './asked.ts'
import { SERVER_NAME } from './credential-files.ts'

export const NAMESPACE = 'bench'
export const GATEWAY = 'waypoint'

const VIP = '10.96.0.1'
/** Where the gateway takes clients. */
export const LISTENER_PORT = 9600
const CREDENTIAL = `${NAMESPACE}/named`

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
    fill(xds, certificates)
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
function fill({ table }: ScriptedXds, certificates: CertificateMaker): void {
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
    // What follows only a gateway looks at.
    listeners: [listener()],
    authorizationPolicies: [`${NAMESPACE}/readers`],
  })
  table.update(TYPE_URLS.address, { upserts: [service, ...workloads.map((each) => workloadResource(each))] })
  table.update(TYPE_URLS.httpAuthorization, { upserts: [policy] })
  table.update(TYPE_URLS.destination, { upserts: [destination] })
  table.update(TYPE_URLS.credential, { upserts: [credential(certificates)] })
  table.update(TYPE_URLS.waypointSettings, { upserts: [settings] })
}

function port(number: number, protocol: waypointpb.Protocol): PortInit {
  return { number, protocol, routes: routes(number, protocol) }
}

function routes(number: number, protocol: waypointpb.Protocol): NonNullable<PortInit['routes']> {
  const backend = { namespace: NAMESPACE, hostname: AUTHORITY, port: number, weight: 1, protocol }
  return {
    routes: [
      {
        name: `${NAMESPACE}.web.0`,
        match: { path: { case: 'pathPrefix', value: '/api' } },
        action: { case: 'backends', value: { backends: [backend] } },
      },
    ],
  }
}

/** Mutual TLS, as the other reverse proxies have it; HTTP/1.1 to the server. */
function listener(): NonNullable<SettingsInit['listeners']>[number] {
  return {
    name: 'https',
    port: LISTENER_PORT,
    tls: {
      credentials: [CREDENTIAL],
      clientCertificates: waypointpb.ClientCertificates.REQUIRED_CLIENT_CERTIFICATE,
      clientAuthorities: [CREDENTIAL],
      minVersion: waypointpb.TlsVersion.TLS_1_3,
    },
    virtualHosts: [{ hostnames: ['*'], routes: routes(SERVICE_PORTS.h1, waypointpb.Protocol.HTTP) }],
  }
}

function credential(certificates: CertificateMaker): ReturnType<typeof credentialResource> {
  const { chainPem, keyPem } = certificates.server([SERVER_NAME])
  return credentialResource(CREDENTIAL, {
    certificateChainPem: Buffer.from(chainPem),
    privateKeyPem: Buffer.from(keyPem),
    caPem: Buffer.from(certificates.rootsPem),
  })
}
