import { get, type IncomingMessage, type ServerResponse } from 'node:http'

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

export type ServiceName = 'details' | 'ratings' | 'reviews'

export type Services = Readonly<Record<ServiceName, { readonly host: string; readonly port: number }>>

export interface Answer {
  readonly status: number
  /** Undefined when the service didn't answer with 200 and an object. */
  readonly body: Readonly<Record<string, unknown>> | undefined
}

const DEFAULT_PORT = 9080
const MAX_ANSWER_BYTES = 64 * 1024

/** Headers that carry a trace, a person or a session through the services: those of Istio's distributed tracing task. */
const PASSED_ON = [
  ...['x-request-id', 'x-ot-span-context', 'x-cloud-trace-context', 'grpc-trace-bin', 'sw8'],
  ...['traceparent', 'tracestate', 'baggage'],
  ...['x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags', 'b3'],
  ...['x-datadog-trace-id', 'x-datadog-parent-id', 'x-datadog-sampling-priority'],
  ...['end-user', 'user-agent', 'cookie', 'authorization', 'jwt'],
]

/** Where the other services are; the variables are those of the sample's images. */
export function servicesFrom(env: Readonly<Record<string, string | undefined>>): Services {
  const domain = env['SERVICES_DOMAIN'] ? `.${env['SERVICES_DOMAIN']}` : ''
  const at = (name: ServiceName): { host: string; port: number } => {
    const prefix = name.toUpperCase()
    const host = env[`${prefix}_HOSTNAME`] || name
    return { host: `${host}${domain}`, port: Number(env[`${prefix}_SERVICE_PORT`]) || DEFAULT_PORT }
  }
  return { details: at('details'), ratings: at('ratings'), reviews: at('reviews') }
}

export function passedOn(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name of PASSED_ON) {
    const value = request.headers[name]
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return headers
}

/** Asks another service. Always over a new connection, so that every request is balanced anew. */
export function ask(
  to: Services[ServiceName],
  path: string,
  o: { readonly headers: Readonly<Record<string, string>>; readonly timeoutMs: number },
): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>()
  const failed = (): void => resolve({ status: 500, body: undefined })
  const signal = AbortSignal.timeout(o.timeoutMs)
  const asked = get({ ...to, path, headers: o.headers, agent: false, signal }, (response) => {
    const chunks: Buffer[] = []
    let size = 0
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_ANSWER_BYTES) response.destroy()
      else chunks.push(chunk)
    })
    response.on('end', () => resolve(answerOf(response.statusCode ?? 500, Buffer.concat(chunks).toString())))
    response.on('error', failed)
    response.on('close', failed)
  })
  asked.on('error', failed)
  return promise
}

function answerOf(status: number, text: string): Answer {
  if (status !== 200) return { status, body: undefined }
  try {
    const body: unknown = JSON.parse(text)
    if (isRecord(body)) return { status, body }
  } catch {
    // Whatever it is, it is no answer of this service.
  }
  return { status: 502, body: undefined }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
