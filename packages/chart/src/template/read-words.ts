import { TemplateError } from '../errors.ts'
import type { Place } from './nodes.types.ts'

/** One word of an action. `glued` says that no space stands before it, which makes `.b` of `(a).b` a field of it. */
export interface Word {
  readonly kind: 'identifier' | 'field' | 'variable' | 'string' | 'number' | 'dot' | 'symbol'
  readonly text: string
  readonly glued: boolean
  readonly line: number
}

const PATTERNS: readonly (readonly [Word['kind'], RegExp])[] = [
  ['number', /[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)/y],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['identifier', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['symbol', /:=|=|\||\(|\)|,/y],
  ['dot', /\./y],
]

export function readWords(source: string, place: Place): readonly Word[] {
  const words: Word[] = []
  let at = 0
  let line = place.line
  while (at < source.length) {
    const space = /\s*/y
    space.lastIndex = at
    const skipped = space.exec(source)?.[0] ?? ''
    line += skipped.split('\n').length - 1
    at += skipped.length
    if (at >= source.length) break
    const found = match(source, at)
    if (found === undefined) {
      throw new TemplateError(`${place.file}:${line}: unexpected ${JSON.stringify(source.slice(at, at + 12))}`)
    }
    words.push({ ...found, glued: skipped === '' && words.length > 0, line })
    line += found.text.split('\n').length - 1
    at += found.text.length
  }
  return words
}

function match(source: string, at: number): { readonly kind: Word['kind']; readonly text: string } | undefined {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at
    const text = pattern.exec(source)?.[0]
    if (text !== undefined) return { kind, text }
  }
  return undefined
}

/** The text a string literal stands for. */
export function literalText(word: Word, place: Place): string {
  if (word.text.startsWith('`')) return word.text.slice(1, -1)
  return word.text.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/gs, (_, escape: string) => {
    const simple: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'" }
    const known = simple[escape]
    if (known !== undefined) return known
    if (escape.length > 1) return String.fromCodePoint(Number.parseInt(escape.slice(1), 16))
    throw new TemplateError(`${place.file}:${word.line}: unknown escape \\${escape} in a string`)
  })
}
