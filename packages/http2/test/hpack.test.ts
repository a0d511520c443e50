import test from 'ava'
import fc from 'fast-check'
import { CompressionError } from '../src/errors.ts'
import { HpackDecoder } from '../src/hpack/decoder.ts'
import { HpackEncoder } from '../src/hpack/encoder.ts'
import { decodeHuffman, encodeHuffman, huffmanLength } from '../src/hpack/huffman.ts'

const decoder = (maxTableBytes = 4096, maxListBytes = 65_536): HpackDecoder =>
  new HpackDecoder({ maxTableBytes, maxListBytes })
const pairs = (list: readonly string[] | undefined): string[] =>
  (list ?? []).flatMap((text, i) => (i % 2 === 0 ? [`${text}: ${list?.[i + 1]}`] : []))

// RFC 7541 appendix C.
const SEQUENCES: Readonly<Record<string, readonly (readonly [hex: string, headers: readonly string[]])[]>> = {
  'C.3 requests without Huffman': [
    [
      '828684410f7777772e6578616d706c652e636f6d',
      [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
    ],
    [
      '828684be58086e6f2d6361636865',
      [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
    ],
    [
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      [
        ':method: GET',
        ':scheme: https',
        ':path: /index.html',
        ':authority: www.example.com',
        'custom-key: custom-value',
      ],
    ],
  ],
  'C.4 requests with Huffman': [
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
    ],
    [
      '828684be5886a8eb10649cbf',
      [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
    ],
    [
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      [
        ':method: GET',
        ':scheme: https',
        ':path: /index.html',
        ':authority: www.example.com',
        'custom-key: custom-value',
      ],
    ],
  ],
}

for (const [name, sequence] of Object.entries(SEQUENCES)) {
  test(`RFC 7541 ${name}`, (t) => {
    const reader = decoder()
    for (const [hex, headers] of sequence) {
      const block = Buffer.from(hex, 'hex')
      t.deepEqual(pairs(reader.decode(block, 0, block.length)), [...headers])
    }
  })
}

test('Huffman: whatever is coded is read back, in the length foretold', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = Buffer.from(bytes).toString('latin1')
      const into = Buffer.alloc(bytes.length * 4 + 8)
      const end = encodeHuffman(text, into, 3)
      t.is(end - 3, huffmanLength(text))
      t.is(decodeHuffman(into, 3, end), text)
    }),
  )
})

test('what two ends of any table size write and read is the same, through evictions and resizes', (t) => {
  const name = fc.constantFrom(
    'a',
    'content-type',
    ':path',
    'x-long',
    'cookie',
    'authorization',
    'x-request-id',
    'user-agent',
  )
  const value = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: 200,
  })
  const block = fc.array(fc.tuple(name, value), { maxLength: 20 }).map((list) => list.flat())
  const step = fc.record({ block, table: fc.option(fc.integer({ min: 0, max: 8192 }), { nil: undefined }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [writer, reader] = [new HpackEncoder(), decoder(8192, Number.POSITIVE_INFINITY)]
      for (const { block: headers, table } of steps) {
        if (table !== undefined) writer.limitTable(table)
        const bytes = writer.encode(headers)
        t.deepEqual(reader.decode(bytes, 0, bytes.length), headers)
      }
    }),
    { numRuns: 200 },
  )
})

test('headers that come again take a byte each; secrets are never kept', (t) => {
  const writer = new HpackEncoder()
  const headers = [':method', 'CONNECT', ':authority', '10.0.0.1:8080', 'x-a', 'b']
  writer.encode(headers)
  t.is(writer.encode(headers).length, 3 + ':method CONNECT'.length - ':method CONNECT'.length)
  const secret = ['authorization', 'Bearer abc']
  const first = Buffer.from(writer.encode(secret))
  t.deepEqual(Buffer.from(writer.encode(secret)), first)
  t.is((first[0] ?? 0) & 0xf0, 0x10, 'never indexed')
})

test('a list that is too large is not handed on, and the table stays as the peer thinks', (t) => {
  const [writer, reader] = [new HpackEncoder(), decoder(4096, 100)]
  const large = Buffer.from(writer.encode(['x-a', 'b', 'x-c', 'd'.repeat(200)]))
  t.is(reader.decode(large, 0, large.length), undefined)
  const small = Buffer.from(writer.encode(['x-a', 'b']))
  t.is(small.length, 1)
  t.deepEqual(reader.decode(small, 0, small.length), ['x-a', 'b'])
})

const BROKEN: Readonly<Record<string, string>> = {
  'index 0': '80',
  'an index beyond the tables': 'be',
  'a block that ends within an integer': 'ff',
  'an integer without end': 'ffffffffffffffffffff',
  'a string longer than the block': '4003612d',
  'a table larger than allowed': '3fe2ff03',
  'a table size after a header': '8220',
  'Huffman padding of a byte': '408325a849ff00',
  'Huffman padding of zeros': '0082f100',
  'the end-of-string symbol': '0084ffffffff00',
}
for (const [name, hex] of Object.entries(BROKEN)) {
  test(`refused: ${name}`, (t) => {
    const block = Buffer.from(hex, 'hex')
    t.throws(() => decoder().decode(block, 0, block.length), { instanceOf: CompressionError })
  })
}

test('no bytes end a reader with anything but its own error', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        decoder().decode(Buffer.from(bytes), 0, bytes.length)
      } catch (error) {
        t.true(error instanceof CompressionError)
      }
    }),
    { numRuns: 3000 },
  )
})
