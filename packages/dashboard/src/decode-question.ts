import type { AskedRequest, ClientRef, Question, TargetRef } from '@ambit/explain'
import { BadQuestionError } from './errors.ts'
import { MAX_ASKED_HEADERS } from './limits.ts'

type Bag = Readonly<Record<string, unknown>>

/** A question as the page writes it; throws BadQuestionError on anything else. */
export function decodeQuestion(json: string | null): Question {
  const bag = asBag(parse(json ?? ''), 'the question')
  return {
    from: decodeClient(asBag(bag['from'], 'from')),
    to: decodeTarget(asBag(bag['to'], 'to')),
    ...(bag['request'] === undefined ? {} : { request: decodeRequest(asBag(bag['request'], 'request')) }),
    ...(bag['sni'] === undefined ? {} : { sni: asText(bag, 'sni') }),
    ...(bag['sourceIp'] === undefined ? {} : { sourceIp: asText(bag, 'sourceIp') }),
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new BadQuestionError('the question is no JSON', { cause })
  }
}

function decodeClient(bag: Bag): ClientRef {
  const { kind } = bag
  if (kind === 'pod') return { kind, namespace: asText(bag, 'namespace'), name: asText(bag, 'name') }
  if (kind === 'account') {
    return { kind, namespace: asText(bag, 'namespace'), serviceAccount: asText(bag, 'serviceAccount') }
  }
  if (kind === 'outside') return bag['ip'] === undefined ? { kind } : { kind, ip: asText(bag, 'ip') }
  throw new BadQuestionError('from: kind is pod, account or outside')
}

function decodeTarget(bag: Bag): TargetRef {
  const { kind } = bag
  const port = bag['port'] === undefined ? {} : { port: asPort(bag['port']) }
  if (kind === 'service' || kind === 'pod') {
    return { kind, namespace: asText(bag, 'namespace'), name: asText(bag, 'name'), ...port }
  }
  if (kind === 'host') return { kind, host: asText(bag, 'host'), ...port }
  throw new BadQuestionError('to: kind is service, pod or host')
}

function decodeRequest(bag: Bag): AskedRequest {
  const method = asText(bag, 'method')
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(method)) throw new BadQuestionError(`"${method}" is no method`)
  const path = asText(bag, 'path')
  if (!path.startsWith('/')) throw new BadQuestionError('a path begins with /')
  const headers = bag['headers'] === undefined ? undefined : decodeHeaders(bag['headers'])
  return {
    method,
    path,
    ...(bag['host'] === undefined ? {} : { host: asText(bag, 'host') }),
    ...(headers === undefined ? {} : { headers }),
    ...(bag['claims'] === undefined ? {} : { claims: asBag(bag['claims'], 'claims') }),
  }
}

function decodeHeaders(value: unknown): readonly (readonly [string, string])[] {
  if (!Array.isArray(value)) throw new BadQuestionError('headers is a list')
  if (value.length > MAX_ASKED_HEADERS) throw new BadQuestionError(`more than ${MAX_ASKED_HEADERS} headers`)
  return value.map((pair: unknown) => {
    const [name, text] = Array.isArray(pair) ? (pair as readonly unknown[]) : []
    if (typeof name !== 'string' || typeof text !== 'string' || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) {
      throw new BadQuestionError('a header is a name and a value')
    }
    return [name.toLowerCase(), text]
  })
}

function asBag(value: unknown, what: string): Bag {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadQuestionError(`${what} is missing`)
  }
  return value as Bag
}

function asText(bag: Bag, name: string): string {
  const value = bag[name]
  if (typeof value !== 'string' || value === '') throw new BadQuestionError(`${name} is missing`)
  return value
}

function asPort(value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > 65_535) {
    throw new BadQuestionError(`${String(value)} is no port`)
  }
  return value as number
}
