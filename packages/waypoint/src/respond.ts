import { type HeaderList, rewriteResponse } from '@ambit/route'
import { headerBytes, headerOf, withHeader, withoutHeaders } from './http/headers.ts'
import { grpcStatusOf, type LocalReply } from './local-reply.ts'
import type { RequestState } from './request.types.ts'
import type { UpstreamAnswer } from './upstream/upstream.types.ts'

const SERVER = 'istio-envoy'

/** Headers of proxies that an endpoint may not set for the waypoint. */
function isOfProxy(name: string): boolean {
  return name === 'server' || name === 'x-envoy-upstream-service-time' || name === 'x-envoy-attempt-count'
}

/** The head of an endpoint's answer as the client gets it. */
export function answerHeaders(state: RequestState, answer: UpstreamAnswer, upstreamMs: number): HeaderList {
  const { route, upstream } = state
  const own = withoutHeaders(answer.headers, isOfProxy)
  own.push('server', SERVER, 'x-envoy-upstream-service-time', String(Math.round(upstreamMs)))
  if (headerOf(own, 'date') === undefined) own.push('date', httpDate())
  const changed =
    route === undefined || upstream?.backend === undefined ? own : rewriteResponse(own, route, upstream.backend)
  return withAnswerHeaders(changed, state)
}

/** What CORS says is the waypoint's to say; cookies of the endpoint stay. */
function withAnswerHeaders(headers: HeaderList, { answerHeaders = [] }: RequestState): HeaderList {
  if (answerHeaders.length === 0) return headers
  const own = new Set(answerHeaders.filter((name, index) => index % 2 === 0 && name !== 'set-cookie'))
  const kept = withoutHeaders(headers, (name) => own.has(name))
  kept.push(...answerHeaders)
  return kept
}

/** Sends an answer of the waypoint's own; a gRPC client gets it as a status of gRPC. */
export function sendLocalReply(state: RequestState, reply: LocalReply): void {
  const { exchange, record } = state
  record.status = reply.status
  record.details = reply.details
  record.transportFailure = reply.transportFailure
  if (reply.flag !== undefined) record.flag(reply.flag)
  if (exchange.isGone) return
  const common = [...(reply.headers ?? []), ...(state.answerHeaders ?? []), 'date', httpDate(), 'server', SERVER]
  if (record.isGrpc) {
    record.grpcStatus = reply.grpcStatus ?? grpcStatusOf(reply.status)
    record.status = 200
    const headers = ['content-type', 'application/grpc', 'grpc-status', String(record.grpcStatus), ...common]
    record.responseHeaderBytes = headerBytes(headers)
    exchange.respond(
      { status: 200, headers: withGrpcMessage(headers, Buffer.from(reply.body).toString()) },
      { bodiless: true },
    )
    return
  }
  const body = Buffer.from(reply.body)
  const isHead = exchange.head.method === 'HEAD'
  const headers = [
    'content-length',
    String(body.length),
    ...(body.length > 0 ? ['content-type', 'text/plain'] : []),
    ...common,
  ]
  record.responseHeaderBytes = headerBytes(headers)
  const bodiless = isHead || body.length === 0
  exchange.respond({ status: reply.status, headers }, { bodiless })
  if (bodiless) return
  record.sentBytes += body.length
  exchange.out.write(body)
  exchange.end([])
}

function withGrpcMessage(headers: HeaderList, message: string): HeaderList {
  return message === '' ? headers : withHeader(headers, 'grpc-message', message.replaceAll('%', '%25'))
}

let dateText = ''
let dateSecond = 0

/** Made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}
