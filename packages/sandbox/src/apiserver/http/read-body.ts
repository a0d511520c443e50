import type { IncomingMessage } from 'node:http'
import { collectBytes } from '@ambit/core'
import { parseDocument } from 'yaml'
import { isObject, type JsonObject } from '../json.ts'
import { MAX_BODY_BYTES, MAX_DEPTH } from '../limits.ts'
import type { BuiltinTypes } from '../schema/builtin-types.ts'
import type { TypeNode } from '../schema/type-node.ts'
import { badRequest, StatusError } from '../status-error.ts'
import { decodeEnvelope, decodeObject, typeOfKind } from './protobuf-decode.ts'

/** Reads a body up to the limit; 413 beyond. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > MAX_BODY_BYTES) throw tooLarge()
  const body = await collectBytes(request, MAX_BODY_BYTES)
  if (body === undefined) throw tooLarge()
  return body
}

function tooLarge(): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`)
}

/** Decodes JSON, YAML or protobuf by its media type; `type` is what protobuf is decoded by. */
export function decodeBody(
  body: Buffer,
  contentType: string | undefined,
  type: TypeNode | undefined,
  types: BuiltinTypes,
): unknown {
  if (body.length === 0) return undefined
  const media = (contentType ?? 'application/json').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (media === 'application/vnd.kubernetes.protobuf') {
    const envelope = decodeEnvelope(body)
    return decodeObject(type ?? typeOfKind(types, envelope.kind), envelope)
  }
  if (media.endsWith('yaml')) return parseYaml(body.toString('utf8'))
  if (media.endsWith('json') || media === '') return parseJson(body)
  throw new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
  )
}

export function parseJson(body: Buffer): unknown {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw badRequest(`the body is not valid JSON: ${error instanceof Error ? error.message : 'unknown'}`)
  }
  checkDepth(value, 0)
  return value
}

/** Every client of server-side apply sends JSON under YAML's name, which takes a seventieth of the time to read. */
function parseAsJson(text: string): { readonly value: unknown } | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    // A flow mapping of YAML looks the same at its beginning.
    return undefined
  }
}

export function parseYaml(text: string): unknown {
  const json = parseAsJson(text)
  if (json !== undefined) {
    checkDepth(json.value, 0)
    return json.value
  }
  const document = parseDocument(text, { maxAliasCount: 0 } as object)
  const [error] = document.errors
  if (error !== undefined) throw badRequest(`the body is not valid YAML: ${error.message.split('\n', 1)[0]}`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw badRequest(`the body is not usable YAML: ${cause instanceof Error ? cause.message : 'unknown'}`)
  }
  checkDepth(value, 0)
  return value
}

function checkDepth(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > MAX_DEPTH * 2) throw badRequest(`the body is nested deeper than ${MAX_DEPTH * 2}`)
  for (const item of Object.values(value)) checkDepth(item, depth + 1)
}

/** The value as an object, {} for an empty body. */
export function bodyObject(value: unknown): JsonObject {
  if (value === undefined) return {}
  if (!isObject(value)) throw badRequest('the body must be an object')
  return value
}
