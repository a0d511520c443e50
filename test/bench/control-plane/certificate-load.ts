// Proxies that ask for certificates as fast as they are answered.
import { type SpiffeId, silentLogger } from '../../../packages/core/src/index.ts'
import { createCsr, GrpcCaClient } from '../../../packages/identity/src/index.ts'
import { CONTROL_NAMESPACE } from './mesh-objects.ts'

const CONNECTIONS = 4
const IN_FLIGHT = 64

export interface CertificateLoad {
  readonly issued: number
  readonly seconds: number
  readonly p99Ms: number
}

/** Asks for `count` certificates, each with the next of the tokens. Requests are made beforehand: keys are the proxies' work. */
export async function askForCertificates(options: {
  readonly port: number
  readonly rootsPem: string
  readonly tokens: readonly string[]
  readonly identities: readonly SpiffeId[]
  readonly count: number
}): Promise<CertificateLoad> {
  let presented = 0
  const token = {
    get token(): string {
      return options.tokens[presented++ % options.tokens.length] ?? ''
    },
  }
  const clients = Array.from(
    { length: CONNECTIONS },
    () =>
      new GrpcCaClient(
        { logger: silentLogger },
        {
          address: `127.0.0.1:${options.port}`,
          root: { pem: options.rootsPem },
          token,
          clusterId: 'Kubernetes',
          altHostname: `istiod.${CONTROL_NAMESPACE}.svc`,
          impersonate: true,
        },
      ),
  )
  const requests = options.identities.map((identity) => ({
    identity,
    csrPem: createCsr(identity).csrPem,
    ttlSeconds: 86_400,
  }))
  const ask = async (index: number): Promise<void> => {
    const request = requests[index % requests.length]
    if (request !== undefined) await clients[index % CONNECTIONS]?.createCertificate(request)
  }
  const times: number[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < options.count) {
      const startedMs = performance.now()
      await ask(next++)
      times.push(performance.now() - startedMs)
    }
  }
  try {
    await Promise.all(clients.map((_, index) => ask(index)))
    const startedMs = performance.now()
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
    const seconds = (performance.now() - startedMs) / 1000
    times.sort((a, b) => a - b)
    return { issued: times.length, seconds, p99Ms: times[Math.floor(times.length * 0.99)] ?? 0 }
  } finally {
    for (const client of clients) await client.close()
  }
}
