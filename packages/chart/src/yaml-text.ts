import { messageOf } from '@ambit/core'
import { parseDocument, stringify } from 'yaml'
import { FunctionError } from './errors.ts'
import { fromPlain, toPlain, type Value } from './value.ts'

/** YAML as Helm's toYaml writes it: keys in order, lists not indented, quoted where a reader of YAML 1.1 would err. */
export function toYaml(value: Value): string {
  const text = stringify(toPlain(value), {
    version: '1.1',
    indentSeq: false,
    lineWidth: 0,
    aliasDuplicateObjects: false,
  })
  const trimmed = text.endsWith('\n') ? text.slice(0, -1) : text
  // A block of text that is the whole document stands at the margin; indented, it can be put anywhere.
  return typeof value === 'string' && /^[|>]/.test(trimmed) ? trimmed.replaceAll(/\n(?=.)/g, '\n  ') : trimmed
}

/** One YAML document. Helm hands errors on inside of the value; here they are errors. */
export function fromYaml(source: string): Value {
  const document = parseDocument(source, { prettyErrors: true })
  const [problem] = document.errors
  if (problem !== undefined) throw new FunctionError(`no valid YAML: ${problem.message}`)
  try {
    return fromPlain(document.toJS({ maxAliasCount: 100 }))
  } catch (cause) {
    throw new FunctionError(`no valid YAML: ${messageOf(cause)}`, { cause })
  }
}
