import type { discoverypb } from '@ambit/api'
import { type Clock, systemClock } from '@ambit/core'
import {
  type AuthenticationResult,
  DELTA_SERVER_OPTIONS,
  DeltaServer,
  type DeltaServerOptions,
  ResourceTable,
} from '@ambit/xds'
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { CertificateMaker } from './certificate-maker.ts'
import { RecordingLogger, RecordingMetrics } from './recorders.ts'

export interface ScriptedXdsOptions extends DeltaServerOptions {
  readonly certificates?: CertificateMaker | undefined
  readonly clock?: Clock | undefined
  /** Resources to start with; those of an earlier server make a restart. */
  readonly table?: ResourceTable | undefined
  readonly port?: number | undefined
  readonly dnsNames?: readonly string[] | undefined
  /** Further services at the same address, as the real control plane has them. */
  readonly services?: readonly {
    readonly definition: ServiceDefinition
    readonly implementation: UntypedServiceImplementation
  }[]
  readonly authenticate?: (metadata: Metadata, node: discoverypb.Node) => Promise<AuthenticationResult>
}

/** The real delta server over TLS on loopback, its resources in the hands of the test. */
export class ScriptedXds implements AsyncDisposable {
  readonly table: ResourceTable
  readonly delta: DeltaServer
  readonly certificates: CertificateMaker
  readonly logger: RecordingLogger
  readonly metrics: RecordingMetrics
  readonly port: number
  readonly #server: Server

  private constructor(
    parts: Pick<ScriptedXds, 'table' | 'delta' | 'certificates' | 'logger' | 'metrics' | 'port'>,
    server: Server,
  ) {
    this.table = parts.table
    this.delta = parts.delta
    this.certificates = parts.certificates
    this.logger = parts.logger
    this.metrics = parts.metrics
    this.port = parts.port
    this.#server = server
  }

  static async start(options: ScriptedXdsOptions = {}): Promise<ScriptedXds> {
    const { certificates = new CertificateMaker(), clock = systemClock, table = new ResourceTable() } = options
    const logger = new RecordingLogger()
    const metrics = new RecordingMetrics()
    const authenticate = options.authenticate ?? (() => Promise.resolve({ ok: true } as const))
    const delta = new DeltaServer(
      { source: table, authenticate, clock, logger, metrics },
      { debounceMs: 1, ...options },
    )
    const server = new Server(DELTA_SERVER_OPTIONS)
    server.addService(delta.service, delta.implementation)
    for (const { definition, implementation } of options.services ?? []) server.addService(definition, implementation)
    const { chainPem, keyPem } = certificates.server(options.dnsNames)
    const pair = { cert_chain: Buffer.from(chainPem), private_key: Buffer.from(keyPem) }
    const credentials = ServerCredentials.createSsl(null, [pair], false)
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
    const port = await promise
    return new ScriptedXds({ table, delta, certificates, logger, metrics, port }, server)
  }

  get address(): string {
    return `https://127.0.0.1:${this.port}`
  }

  /** Drops every connection at once, as a crash would. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.delta.close()
    this.#server.forceShutdown()
  }
}
