import { FunctionError } from '../errors.ts'
import { semverSatisfies } from '../semver.ts'
import type { TemplateFunction } from '../template/execute-template.ts'
import { fromPlain, toPlain, toText, type Value } from '../value.ts'
import { fromYaml, toYaml } from '../yaml-text.ts'
import { any, between, fixed, text } from './arguments.ts'

const fromJson = (source: string): Value => {
  try {
    return fromPlain(JSON.parse(source))
  } catch (cause) {
    throw new FunctionError('no valid JSON', { cause })
  }
}

/** Go's encoder writes <, > and & as escapes, unless told not to. */
const toJson = (value: Value, space?: number): string =>
  JSON.stringify(toPlain(value), undefined, space).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, '0')}`,
  )

const rawJson = (value: Value): string => JSON.stringify(toPlain(value))

/** The functions Helm adds, and the encodings. */
export const CHART_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  include: fixed(2, (args, template) => template.include(text(args, 0), any(args, 1))),
  tpl: fixed(2, (args, template) => template.renderText(text(args, 0), any(args, 1))),
  required: fixed(2, (args) => {
    const value = any(args, 1)
    if (value === null || value === '') throw new FunctionError(text(args, 0))
    return value
  }),
  fail: fixed(1, (args) => {
    throw new FunctionError(toText(any(args, 0)))
  }),
  // A rendering never depends on what a cluster holds; Helm's template command finds nothing either.
  lookup: fixed(4, () => new Map()),
  toYaml: fixed(1, (args) => toYaml(any(args, 0))),
  mustToYaml: fixed(1, (args) => toYaml(any(args, 0))),
  fromYaml: fixed(1, (args) => fromYaml(text(args, 0)) ?? new Map()),
  fromYamlArray: fixed(1, (args) => fromYaml(text(args, 0)) ?? []),
  toJson: fixed(1, (args) => toJson(any(args, 0))),
  mustToJson: fixed(1, (args) => toJson(any(args, 0))),
  toPrettyJson: fixed(1, (args) => toJson(any(args, 0), 2)),
  mustToPrettyJson: fixed(1, (args) => toJson(any(args, 0), 2)),
  toRawJson: fixed(1, (args) => rawJson(any(args, 0))),
  fromJson: fixed(1, (args) => fromJson(text(args, 0))),
  mustFromJson: fixed(1, (args) => fromJson(text(args, 0))),
  semverCompare: fixed(2, (args) => semverSatisfies(text(args, 1), text(args, 0))),
  urlquery: between(1, 1, (args) => encodeURIComponent(toText(any(args, 0)))),
}
