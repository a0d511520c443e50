import { FunctionError } from '../errors.ts'
import { toText, typeName, type Value } from '../value.ts'

/** Go's Sprintf for what charts write. What Go would answer with `%!d(string=…)` is an error. */
export function formatText(format: string, args: readonly Value[]): string {
  let used = 0
  const text = format.replace(/%([-+0 #]*)(\d*)(?:\.(\d+))?(.?)/gsu, (_whole, flags, width, precision, verb) => {
    if (verb === '%') return '%'
    if (verb === '') throw new FunctionError(`the format ${JSON.stringify(format)} ends within a verb`)
    if (used >= args.length)
      throw new FunctionError(`the format ${JSON.stringify(format)} has more verbs than arguments`)
    const value = args[used++] ?? null
    return pad(formatOne(value, String(verb), String(flags), precision as string | undefined), String(flags), width)
  })
  if (used < args.length) {
    throw new FunctionError(`the format ${JSON.stringify(format)} uses ${used} of ${args.length} arguments`)
  }
  return text
}

function formatOne(value: Value, verb: string, flags: string, precision: string | undefined): string {
  const wrong = (): never => {
    throw new FunctionError(`%${verb} can't format ${typeName(value)}`)
  }
  switch (verb) {
    case 'v':
      return value === null ? '<nil>' : toText(value)
    case 's':
      if (typeof value !== 'string' && !Array.isArray(value)) return wrong()
      return precision === undefined ? toText(value) : toText(value).slice(0, Number(precision))
    case 'q':
      return typeof value === 'string' ? quoteText(value) : wrong()
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong()
    case 'd':
      return typeof value === 'bigint' ? signed(value.toString(), flags) : wrong()
    case 'x':
      return typeof value === 'bigint' ? value.toString(16) : wrong()
    case 'f':
      return typeof value === 'number' ? signed(value.toFixed(Number(precision ?? 6)), flags) : wrong()
    case 'g':
      return typeof value === 'number' ? toText(value) : wrong()
    case 'T':
      return typeName(value)
    default:
      throw new FunctionError(`the verb %${verb} is not known`)
  }
}

function signed(text: string, flags: string): string {
  return flags.includes('+') && !text.startsWith('-') ? `+${text}` : text
}

function pad(text: string, flags: string, width: string): string {
  const length = Math.min(Number(width || '0'), 10_000)
  if (flags.includes('-')) return text.padEnd(length)
  if (!flags.includes('0')) return text.padStart(length)
  const sign = /^[+-]/.exec(text)?.[0] ?? ''
  return sign + text.slice(sign.length).padStart(length - sign.length, '0')
}

/** Text in double quotes, escaped as Go's %q does, which YAML and JSON read the same. */
export function quoteText(text: string): string {
  return `"${text.replace(/["\\\n\r\t\p{Cc}]/gu, (character) => {
    const simple: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
    return simple[character] ?? `\\x${character.codePointAt(0)?.toString(16).padStart(2, '0')}`
  })}"`
}
