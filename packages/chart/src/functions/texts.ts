import { createHash } from 'node:crypto'
import { FunctionError } from '../errors.ts'
import type { TemplateFunction } from '../template/execute-template.ts'
import { toText, type Value } from '../value.ts'
import { any, anyNumber, count, fixed, integer, list, text } from './arguments.ts'
import { formatText, quoteText } from './format-text.ts'

const indent = (width: number, source: string): string => {
  const space = ' '.repeat(width)
  return space + source.replaceAll('\n', `\n${space}`)
}

const trimSet = (source: string, characters: string, left: boolean, right: boolean): string => {
  let from = 0
  let to = source.length
  while (left && from < to && characters.includes(source.charAt(from))) from++
  while (right && to > from && characters.includes(source.charAt(to - 1))) to--
  return source.slice(from, to)
}

/** The pattern of Go's regular expressions where JavaScript's means the same. */
const pattern = (source: string, flags = ''): RegExp => {
  if (/\(\?[a-zA-Z-]+[:)]|\\[zAQEC]|\[\[:/.test(source)) {
    throw new FunctionError(`the regular expression ${JSON.stringify(source)} has a part that JavaScript lacks`)
  }
  try {
    return new RegExp(source, `u${flags}`)
  } catch (cause) {
    throw new FunctionError(`${JSON.stringify(source)} is no regular expression`, { cause })
  }
}

const filled = (args: readonly Value[]): Value[] => args.filter((value) => value !== null)
const join = (separator: string, value: Value): string =>
  Array.isArray(value) ? filled(value).map(toText).join(separator) : toText(value)

/** Sprig's functions of text. */
export const TEXT_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  printf: anyNumber(1, (args) => formatText(text(args, 0), args.slice(1))),
  print: anyNumber(0, (args) =>
    args
      .map((value, at) => {
        const before = args[at - 1]
        const apart = at > 0 && typeof value !== 'string' && typeof before !== 'string'
        return `${apart ? ' ' : ''}${value === null ? '<nil>' : toText(value)}`
      })
      .join(''),
  ),
  println: anyNumber(0, (args) => `${args.map(toText).join(' ')}\n`),
  quote: anyNumber(0, (args) =>
    filled(args)
      .map((value) => quoteText(toText(value)))
      .join(' '),
  ),
  squote: anyNumber(0, (args) =>
    filled(args)
      .map((value) => `'${toText(value)}'`)
      .join(' '),
  ),
  cat: anyNumber(0, (args) => filled(args).map(toText).join(' ')),
  indent: fixed(2, (args) => indent(count(args, 0), text(args, 1))),
  nindent: fixed(2, (args) => `\n${indent(count(args, 0), text(args, 1))}`),
  trim: fixed(1, (args) => text(args, 0).trim()),
  trimAll: fixed(2, (args) => trimSet(text(args, 1), text(args, 0), true, true)),
  trimPrefix: fixed(2, (args) => {
    const prefix = text(args, 0)
    const source = text(args, 1)
    return source.startsWith(prefix) ? source.slice(prefix.length) : source
  }),
  trimSuffix: fixed(2, (args) => {
    const suffix = text(args, 0)
    const source = text(args, 1)
    return suffix !== '' && source.endsWith(suffix) ? source.slice(0, -suffix.length) : source
  }),
  upper: fixed(1, (args) => text(args, 0).toUpperCase()),
  lower: fixed(1, (args) => text(args, 0).toLowerCase()),
  title: fixed(1, (args) =>
    text(args, 0).replace(/(^|\s)(\p{L})/gu, (_, before, letter) => before + letter.toUpperCase()),
  ),
  untitle: fixed(1, (args) =>
    text(args, 0).replace(/(^|\s)(\p{L})/gu, (_, before, letter) => before + letter.toLowerCase()),
  ),
  nospace: fixed(1, (args) => text(args, 0).replace(/\s/g, '')),
  camelcase: fixed(1, (args) =>
    text(args, 0).replace(/(?:^|[-_ ]+)(\p{L})/gu, (_, letter: string) => letter.toUpperCase()),
  ),
  kebabcase: fixed(1, (args) => separateWords(text(args, 0), '-')),
  snakecase: fixed(1, (args) => separateWords(text(args, 0), '_')),
  contains: fixed(2, (args) => text(args, 1).includes(text(args, 0))),
  hasPrefix: fixed(2, (args) => text(args, 1).startsWith(text(args, 0))),
  hasSuffix: fixed(2, (args) => text(args, 1).endsWith(text(args, 0))),
  replace: fixed(3, (args) => text(args, 2).replaceAll(text(args, 0), () => text(args, 1))),
  repeat: fixed(2, (args) => text(args, 1).repeat(Math.min(count(args, 0), 100_000))),
  substr: fixed(3, (args) => {
    const start = Number(integer(args, 0))
    const end = Number(integer(args, 1))
    const source = text(args, 2)
    return start < 0
      ? source.slice(0, end)
      : end < 0 || end > source.length
        ? source.slice(start)
        : source.slice(start, end)
  }),
  trunc: fixed(2, (args) => {
    const length = Number(integer(args, 0))
    const source = text(args, 1)
    return length < 0 ? source.slice(length) : source.slice(0, length)
  }),
  abbrev: fixed(2, (args) => {
    const width = Math.max(count(args, 0), 4)
    const source = text(args, 1)
    return source.length <= width ? source : `${source.slice(0, width - 3)}...`
  }),
  join: fixed(2, (args) => join(text(args, 0), any(args, 1))),
  splitList: fixed(2, (args) => text(args, 1).split(text(args, 0))),
  split: fixed(
    2,
    (args) =>
      new Map(
        text(args, 1)
          .split(text(args, 0))
          .map((part, at) => [`_${at}`, part] as const),
      ),
  ),
  toString: fixed(1, (args) => toText(any(args, 0))),
  toStrings: fixed(1, (args) => list(args, 0).map(toText)),
  sha256sum: fixed(1, (args) => createHash('sha256').update(text(args, 0)).digest('hex')),
  b64enc: fixed(1, (args) => Buffer.from(text(args, 0)).toString('base64')),
  b64dec: fixed(1, (args) => Buffer.from(text(args, 0), 'base64').toString('utf8')),
  regexMatch: fixed(2, (args) => pattern(text(args, 0)).test(text(args, 1))),
  regexFind: fixed(2, (args) => pattern(text(args, 0)).exec(text(args, 1))?.[0] ?? ''),
  regexReplaceAll: fixed(3, (args) =>
    text(args, 1).replaceAll(pattern(text(args, 0), 'g'), text(args, 2).replace(/\$\{(\d)\}/g, '$$$1')),
  ),
  regexReplaceAllLiteral: fixed(3, (args) =>
    text(args, 1).replaceAll(pattern(text(args, 0), 'g'), () => text(args, 2)),
  ),
}

function separateWords(source: string, separator: string): string {
  return source
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, `$1${separator}$2`)
    .replace(/[-_\s]+/g, separator)
    .toLowerCase()
}
