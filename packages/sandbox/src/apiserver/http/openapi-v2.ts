/**
 * kubectl wants protobuf (message `openapi.v2.Document` of gnostic). It asks with an `@` before the version, which is no
 * valid media type in an answer.
 */
const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
const TITLE = 'Ambit sandbox'
const VERSION = 'v1'

export interface OpenApiV2 {
  readonly contentType: string
  readonly body: Buffer
}

/**
 * GET /openapi/v2: a valid document without a single type. kubectl asks for it where version 3 has no answer (a `List`,
 * and 1.27 always), and leaves the validation of types it doesn't find there to the server, which does it anyway.
 */
export function openApiV2(accept: string | undefined): OpenApiV2 {
  if (accept?.includes('proto-openapi.spec.v2') === true) return { contentType: PROTOBUF, body: protobufDocument() }
  const document = { swagger: '2.0', info: { title: TITLE, version: VERSION }, paths: {}, definitions: {} }
  return { contentType: 'application/json', body: Buffer.from(`${JSON.stringify(document)}\n`) }
}

/** swagger = 1, info = 2 (title = 1, version = 2), paths = 8, definitions = 9. */
function protobufDocument(): Buffer {
  const info = Buffer.concat([field(1, Buffer.from(TITLE)), field(2, Buffer.from(VERSION))])
  return Buffer.concat([
    field(1, Buffer.from('2.0')),
    field(2, info),
    field(8, Buffer.alloc(0)),
    field(9, Buffer.alloc(0)),
  ])
}

/** A length-delimited field; all here are shorter than 128 bytes. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content])
}
