import { messageOf } from '@ambit/core'
import { DecodeError } from './errors.ts'

/** A JSON object whose members are not yet known. */
export type JsonObject = Readonly<Record<string, unknown>>

/** `value` as an object; anything else reads as an empty one, since a dump of another version may lack it. */
export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
}

/** Members of a list, or of an object keyed by id as older ztunnels dump them. */
export function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return Object.values(asObject(value))
}

/** A string, or a number as text, else the empty string. */
export function asText(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

/** The strings of a list. */
export function asTexts(value: unknown): readonly string[] {
  return asList(value).map(asText)
}

/** JSON that does not drive a terminal: it allows control characters of C1, of which some terminals take one for an escape. */
export function jsonText(value: unknown, indent?: number): string {
  return withoutControls(JSON.stringify(value, undefined, indent))
}

/** The same of what is JSON already. */
export function withoutControls(json: string): string {
  return json.replaceAll(/[\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Parses JSON that came from `source`. */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new DecodeError(`${source} did not answer with JSON: ${messageOf(cause)}`, { cause })
  }
}
