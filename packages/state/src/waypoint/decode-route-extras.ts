import type { waypointpb as pb } from '@ambit/api'
import { MAX_FAULT_DELAY_MS } from '../limits.ts'
import { reject } from '../rejection.ts'
import type { Cors, Fault } from './destination.types.ts'
import { textMatchOf } from './text-match.ts'

/** What goes wrong on purpose. */
export function faultOf(message: pb.Fault, path: string): Fault {
  const { delayPerMillion, delayMs, abortPerMillion, abort } = message
  if (delayMs > MAX_FAULT_DELAY_MS) reject('unsupported', `${path}.delay_ms: more than ${MAX_FAULT_DELAY_MS}`)
  return {
    delay: delayPerMillion === 0 ? undefined : { perMillion: delayPerMillion, ms: delayMs },
    abort: abortPerMillion === 0 ? undefined : { perMillion: abortPerMillion, ...abortOf(abort, path) },
  }
}

function abortOf(abort: pb.Fault['abort'], path: string): { readonly kind: 'http' | 'grpc'; readonly status: number } {
  switch (abort.case) {
    case 'httpStatus':
      if (abort.value < 200 || abort.value > 599) reject('bad-status', `${path}.http_status: ${abort.value}`)
      return { kind: 'http', status: abort.value }
    case 'grpcStatus':
      return { kind: 'grpc', status: abort.value }
    case undefined:
      return reject('empty', `${path}: an abort without status`)
  }
}

// RFC 9110 §5.6.2; what stands in a list must not end it.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

export function corsOf(message: pb.Cors, path: string): Cors {
  const tokens = (list: readonly string[], field: string): readonly string[] => {
    for (const token of list) if (!TOKEN.test(token)) reject('bad-header', `${path}.${field}: ${JSON.stringify(token)}`)
    return list
  }
  return {
    allowOrigins: message.allowOrigins.map(({ value }, i) => textMatchOf(value, `${path}.allow_origins[${i}]`)),
    allowMethods: tokens(message.allowMethods, 'allow_methods'),
    allowHeaders: tokens(message.allowHeaders, 'allow_headers'),
    exposeHeaders: tokens(message.exposeHeaders, 'expose_headers'),
    maxAgeSeconds: message.maxAgeSeconds,
    allowCredentials: message.allowCredentials,
    answerAllPreflights: message.answerAllPreflights,
  }
}
