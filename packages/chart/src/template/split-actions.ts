import { TemplateError } from '../errors.ts'
import type { Place } from './nodes.types.ts'

/** A template cut at its delimiters. Comments are gone, and so is the white space that `{{-` and `-}}` take away. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly source: string; readonly place: Place }

export function splitActions(source: string, file: string): readonly Piece[] {
  const pieces: Piece[] = []
  let at = 0
  let line = 1
  let trimNext = false
  const countLines = (text: string): void => {
    for (const character of text) if (character === '\n') line++
  }
  while (at < source.length) {
    const open = source.indexOf('{{', at)
    const end = open < 0 ? source.length : open
    const trimsLeft = open >= 0 && source[open + 2] === '-' && isSpace(source[open + 3])
    let text = source.slice(at, end)
    countLines(text)
    if (trimNext) text = text.trimStart()
    if (trimsLeft) text = text.trimEnd()
    if (text !== '') pieces.push({ kind: 'text', text })
    if (open < 0) break
    const place = { file, line }
    const start = open + (trimsLeft ? 3 : 2)
    const close = closeOf(source, start, place)
    countLines(source.slice(open, close.after))
    const inner = source.slice(start, close.at)
    if (!isComment(inner)) pieces.push({ kind: 'action', source: inner, place })
    trimNext = close.trims
    at = close.after
  }
  return pieces
}

/** Where the action ends; `}}` inside of a string or a comment doesn't count. */
function closeOf(source: string, start: number, place: Place): { at: number; after: number; trims: boolean } {
  const fail = (what: string): never => {
    throw new TemplateError(`${place.file}:${place.line}: ${what}`)
  }
  let at = start
  if (/^\s*\/\*/.test(source.slice(start, start + 16))) {
    const end = source.indexOf('*/', at)
    if (end < 0) fail('a comment is not closed')
    at = end + 2
  }
  while (at < source.length) {
    const character = source[at]
    if (character === '"') {
      at++
      while (at < source.length && source[at] !== '"' && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1
      if (source[at] !== '"') fail('a string is not closed')
    } else if (character === '`') {
      const end = source.indexOf('`', at + 1)
      if (end < 0) fail('a raw string is not closed')
      at = end
    } else if (source.startsWith('}}', at)) {
      const trims = source[at - 1] === '-' && isSpace(source[at - 2])
      return { at: trims ? at - 1 : at, after: at + 2, trims }
    }
    at++
  }
  return fail('an action is not closed with }}')
}

function isComment(inner: string): boolean {
  return /^\s*\/\*[\s\S]*\*\/\s*$/.test(inner)
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && ' \t\r\n'.includes(character)
}
