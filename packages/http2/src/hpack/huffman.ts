import { CompressionError } from '../errors.ts'

/** Symbols by the length of their code, bits (RFC 7541 appendix B). The codes themselves follow: they are canonical. */
const SYMBOLS: readonly (readonly [bits: number, symbols: readonly number[]])[] = [
  [5, codes('012aceiost')],
  [6, codes(' %-./3456789=A_bdfghlmnpru')],
  [7, codes(':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz')],
  [8, codes('&*,;XZ')],
  [10, codes('!"()?')],
  [11, codes("'+|")],
  [12, codes('#>')],
  [13, [0, ...codes('$@[]~')]],
  [14, codes('^}')],
  [15, codes('<`{')],
  [19, [0x5c, 0xc3, 0xd0]],
  [20, [0x80, 0x82, 0x83, 0xa2, 0xb8, 0xc2, 0xe0, 0xe2]],
  [21, [0x99, 0xa1, 0xa7, 0xac, 0xb0, 0xb1, 0xb3, 0xd1, 0xd8, 0xd9, 0xe3, 0xe5, 0xe6]],
  [22, hex('818485868892 9a9ca0a3a4a9aaadb2b5b9babbbdbec4c6e4e8e9')],
  [23, hex('018789 8a8b8c8d8f93959697989b9d9ea5a6a8aeafb4b6b7bcbfc5e7ef')],
  [24, hex('098e9091949fabced7e1eced')],
  [25, hex('c7cfeaeb')],
  [26, hex('c0c1c8c9cacdd2d5dadbeef0f2f3ff')],
  [27, hex('cbccd3d4d6dddedff1f4f5f6f7f8fafbfcfdfe')],
  [28, hex('02030405060708 0b0c 0e0f101112131415 1718191a1b1c1d1e1f 7fdcf9')],
  [30, [0x0a, 0x0d, 0x16, 256]],
]

function codes(text: string): number[] {
  return [...Buffer.from(text, 'latin1')]
}

function hex(text: string): number[] {
  return [...Buffer.from(text.replaceAll(' ', ''), 'hex')]
}

/** End of string: never written, and an error where it is read. */
const EOS = 256
/** Inner nodes of the code's tree: one less than its leaves. */
const NODES = 256
const NIBBLE = 16
const NO_SYMBOL = -1
const FAILED = 0xffff

const codeOf: Uint32Array = new Uint32Array(EOS + 1)
const bitsOf: Uint8Array = new Uint8Array(EOS + 1)
/** For a node and the next four bits: the node after them, the symbol they complete, if any. */
const next: Uint16Array = new Uint16Array(NODES * NIBBLE)
const emitted: Int16Array = new Int16Array(NODES * NIBBLE).fill(NO_SYMBOL)
/** Nodes that may be the last: what was read since the last symbol is the beginning of EOS and shorter than a byte. */
const isEnd: Uint8Array = new Uint8Array(NODES)

buildTables()

function buildTables(): void {
  // Children of inner nodes: a node's number, or a symbol below zero.
  const children: number[] = [0, 0]
  let code = 0
  let bits = 0
  for (const [length, symbols] of SYMBOLS) {
    for (const symbol of symbols) {
      code *= 2 ** (length - bits)
      bits = length
      codeOf[symbol] = code
      bitsOf[symbol] = length
      plant(children, code, length, symbol)
      code++
    }
  }
  let end = 0
  for (let ones = 0; ones < 8; ones++) {
    isEnd[end] = 1
    end = children[end * 2 + 1] ?? 0
  }
  for (let node = 0; node < NODES; node++) {
    for (let nibble = 0; nibble < NIBBLE; nibble++) step(children, node, nibble)
  }
}

function plant(children: number[], code: number, length: number, symbol: number): void {
  let node = 0
  for (let left = length - 1; left >= 0; left--) {
    const slot = node * 2 + (Math.floor(code / 2 ** left) % 2)
    if (left === 0) children[slot] = -1 - symbol
    else {
      if (children[slot] === 0) {
        children[slot] = children.length / 2
        children.push(0, 0)
      }
      node = children[slot] ?? 0
    }
  }
}

function step(children: readonly number[], from: number, nibble: number): void {
  let node = from
  const slot = from * NIBBLE + nibble
  for (let bit = 3; bit >= 0; bit--) {
    const child = children[node * 2 + ((nibble >> bit) & 1)] ?? 0
    if (child >= 0) {
      node = child
      continue
    }
    const symbol = -1 - child
    if (symbol === EOS) {
      next[slot] = FAILED
      return
    }
    emitted[slot] = symbol
    node = 0
  }
  next[slot] = node
}

/** What a name or value has at most when it is read; header lists are bounded long before. Grown when a longer one comes. */
let scratch: Buffer = Buffer.allocUnsafeSlow(4096)

/** The text of a Huffman-coded string (RFC 7541 §5.2), one character for each byte. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string {
  // No code is shorter than five bits.
  const most = Math.floor(((end - start) * 8) / 5)
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most * 2)
  let node = 0
  let length = 0
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0
    let slot = node * NIBBLE + (byte >> 4)
    if ((emitted[slot] ?? 0) >= 0) scratch[length++] = emitted[slot] ?? 0
    node = next[slot] ?? 0
    if (node === FAILED) throw new CompressionError('a Huffman-coded string holds the end-of-string symbol')
    slot = node * NIBBLE + (byte & 15)
    if ((emitted[slot] ?? 0) >= 0) scratch[length++] = emitted[slot] ?? 0
    node = next[slot] ?? 0
    if (node === FAILED) throw new CompressionError('a Huffman-coded string holds the end-of-string symbol')
  }
  if (isEnd[node] !== 1) throw new CompressionError('a Huffman-coded string ends with wrong padding')
  return scratch.toString('latin1', 0, length)
}

/** Bytes that a text takes when it is Huffman-coded. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += bitsOf[text.charCodeAt(i) & 255] ?? 0
  return (bits + 7) >> 3
}

/** Writes a text Huffman-coded at `offset`, which must have room; answers where it ends. */
export function encodeHuffman(text: string, into: Buffer, offset: number): number {
  let at = offset
  // At most 7 bits wait, and a code has 30: more than 32 bits, so they are taken byte by byte from a double.
  let waiting = 0
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 255
    count += bitsOf[symbol] ?? 0
    waiting = waiting * 2 ** (bitsOf[symbol] ?? 0) + (codeOf[symbol] ?? 0)
    while (count >= 8) {
      count -= 8
      const unit = 2 ** count
      const byte = Math.floor(waiting / unit)
      into[at++] = byte
      waiting -= byte * unit
    }
  }
  if (count > 0) into[at++] = waiting * 2 ** (8 - count) + (2 ** (8 - count) - 1)
  return at
}
