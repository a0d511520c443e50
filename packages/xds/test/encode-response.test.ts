import { discoverypb } from '@ambit/api'
import { create, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import fc from 'fast-check'
import { encodeResponse, type PushedResponse, SharedResources } from '../src/encode-response.ts'
import { MAX_SHARED_BYTES } from '../src/limits.ts'
import type { XdsResource } from '../src/resource.types.ts'

const resource = fc.record({
  name: fc.string({ unit: 'grapheme' }),
  version: fc.string(),
  aliases: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
  // Lengths on both sides of where the length takes another octet.
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(16_300, 16_384).map((n) => new Uint8Array(n)),
  ),
})
const response: fc.Arbitrary<PushedResponse> = fc.record({
  typeUrl: fc.string(),
  nonce: fc.string(),
  resources: fc.array(resource, { maxLength: 4 }),
  removedResources: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
})

function generated({
  typeUrl,
  nonce,
  resources,
  removedResources,
}: PushedResponse): discoverypb.DeltaDiscoveryResponse {
  return create(discoverypb.DeltaDiscoveryResponseSchema, {
    typeUrl,
    nonce,
    resources: resources.map(({ name, version, aliases, bytes }) =>
      create(discoverypb.ResourceSchema, {
        name,
        version,
        aliases: [...aliases],
        resource: { typeUrl, value: bytes },
      }),
    ),
    removedResources: [...removedResources],
  })
}

test('the encoding is that of the generated code, octet by octet', (t) => {
  fc.assert(
    fc.property(response, (pushed) => {
      const bytes = encodeResponse(pushed)
      t.deepEqual(bytes, Buffer.from(toBinary(discoverypb.DeltaDiscoveryResponseSchema, generated(pushed))))
    }),
  )
  t.pass()
})

test('a resource is encoded once for all clients, and again for another type', (t) => {
  const shared = new SharedResources()
  const one = { name: 'a', version: '1', aliases: [], bytes: Uint8Array.of(1) }
  const first = shared.encoded('type', one)
  for (let client = 0; client < 100; client++) t.is(shared.encoded('type', one), first)
  t.is(shared.encodings, 1)
  t.notDeepEqual(shared.encoded('other', one), first)
  t.is(shared.encodings, 2)
})

test('what is kept has a limit', (t) => {
  const shared = new SharedResources()
  const large = (name: string): XdsResource => ({
    name,
    version: '1',
    aliases: [],
    bytes: new Uint8Array(MAX_SHARED_BYTES / 2),
  })
  const resources = ['a', 'b', 'c'].map(large)
  for (const one of resources) shared.encoded('type', one)
  t.is(shared.encodings, 3)
  shared.encoded('type', resources[0] as (typeof resources)[number])
  t.is(shared.encodings, 4, 'the first was dropped')
})
