import { MAX_PORT } from '@ambit/core'

export type Json = Readonly<Record<string, unknown>>
export type StringMap = Readonly<Record<string, string>>

const NOTHING: Json = {}

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object, or an empty one for anything else. */
export function record(value: unknown): Json {
  return isRecord(value) ? value : NOTHING
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/**
 * Text as it is, anything else as JSON. `String` throws at an object whose `toString` is a field, and whoever writes an object names its fields.
 */
export function printed(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

export function texts(value: unknown): readonly string[] {
  return list(value).filter((item) => typeof item === 'string')
}

/** 1 to 65535. */
export function portNumber(value: unknown): number | undefined {
  const number = integer(value)
  return number !== undefined && number > 0 && number <= MAX_PORT ? number : undefined
}

/** What an unsigned 32 bit field can hold. */
export function unsigned(value: unknown): number | undefined {
  const number = integer(value)
  return number !== undefined && number >= 0 && number <= 0xffffffff ? number : undefined
}

function integer(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined
}

/** Only the entries whose value is text. */
export function stringMap(value: unknown): StringMap {
  if (!isRecord(value)) return {}
  const entries = Object.entries(value)
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  // As a rule it is kept as it is: there is one for each of tens of thousands of pods.
  return texts.length === entries.length ? (value as StringMap) : Object.fromEntries(texts)
}

/** Go's strconv.ParseBool; undefined for everything else. */
export function parseBool(value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false
  return undefined
}
