import type { FilePlace, FileProblem, Position } from '@ambit/analyze'
import { nearestWord } from '@ambit/core'
import { MAX_TEST_PROBLEMS } from '../limits.ts'

export type Json = Readonly<Record<string, unknown>>
export type Path = readonly (string | number)[]

/** Reads values of a document whose shape is not known yet, and notes what is wrong with it and where. */
export class Reader {
  readonly #place: FilePlace
  readonly #problems: FileProblem[] = []
  #unsaid = 0

  constructor(place: FilePlace) {
    this.#place = place
  }

  get problems(): readonly FileProblem[] {
    const [first] = this.#problems
    if (first === undefined || this.#unsaid === 0) return this.#problems
    return [...this.#problems, { ...first, message: `${this.#unsaid} more mistakes in this document` }]
  }

  get failed(): boolean {
    return this.#problems.length > 0
  }

  positionOf(path: Path): Position {
    return this.#place.positionOf(path)
  }

  fail(path: Path, message: string): undefined {
    return this.failAt(this.positionOf(path), message)
  }

  failAt({ line, column }: Position, message: string): undefined {
    if (this.#problems.length >= MAX_TEST_PROBLEMS) this.#unsaid++
    else this.#problems.push({ file: this.#place.file, line, column, message })
    return undefined
  }

  /** A mapping with none but the fields that are known. */
  fields(value: unknown, path: Path, what: string, known: readonly string[]): Json | undefined {
    const mapping = this.mapping(value, path, what)
    if (mapping === undefined) return undefined
    for (const field of Object.keys(mapping)) {
      if (known.includes(field)) continue
      const near = nearestWord(known, field)
      const hint = near === undefined ? `; there are ${known.join(', ')}` : `; did you mean "${near}"?`
      this.fail([...path, field], `${what} has no field ${JSON.stringify(field)}${hint}`)
    }
    return mapping
  }

  mapping(value: unknown, path: Path, what: string): Json | undefined {
    if (isMapping(value)) return value
    return this.fail(path, `${what} is a mapping, not ${spell(value)}`)
  }

  /** Absent: an empty list. */
  list(value: unknown, path: Path, what: string): readonly unknown[] {
    if (value === undefined) return []
    if (Array.isArray(value)) return value as readonly unknown[]
    this.fail(path, `${what} is a list, not ${spell(value)}`)
    return []
  }

  /** One or a list of them, each with its path. */
  oneOrMore(value: unknown, path: Path, what: string): readonly (readonly [value: unknown, path: Path])[] {
    if (!Array.isArray(value)) return [[value, path]]
    if (value.length === 0) this.fail(path, `${what} is an empty list: there is nothing to test`)
    return value.map((item, i) => [item, [...path, i]] as const)
  }

  /** Text that is not empty. */
  text(value: unknown, path: Path, what: string): string | undefined {
    if (typeof value === 'string' && value !== '') return value
    const quotes = typeof value === 'number' || typeof value === 'boolean' ? '; write it in quotes' : ''
    return this.fail(path, `${what} is a text, not ${spell(value)}${quotes}`)
  }

  optionalText(value: unknown, path: Path, what: string): string | undefined {
    return value === undefined ? undefined : this.text(value, path, what)
  }

  oneOf<T extends string>(value: unknown, path: Path, what: string, choices: readonly T[]): T | undefined {
    const found = choices.find((choice) => choice === value)
    if (found !== undefined) return found
    const near = typeof value === 'string' ? nearestWord(choices, value) : undefined
    const hint = near === undefined ? '' : `; did you mean "${near}"?`
    return this.fail(path, `${what} is one of ${choices.join(', ')}, not ${spell(value)}${hint}`)
  }

  boolean(value: unknown, path: Path, what: string, otherwise: boolean): boolean {
    if (value === undefined) return otherwise
    if (typeof value === 'boolean') return value
    this.fail(path, `${what} is true or false, not ${spell(value)}`)
    return otherwise
  }

  port(value: unknown, path: Path, what: string): number | undefined {
    if (isPort(value)) return value
    return this.fail(path, `${what} is a number from 1 to 65535, not ${spell(value)}`)
  }

  /** A mapping of texts, as labels are. */
  texts(value: unknown, path: Path, what: string): Readonly<Record<string, string>> | undefined {
    const mapping = this.mapping(value, path, what)
    if (mapping === undefined) return undefined
    const entries = Object.entries(mapping).flatMap(([key, entry]): readonly (readonly [string, string])[] => {
      if (entry === '') return [[key, '']]
      const read = this.text(entry, [...path, key], `${what}.${key}`)
      return read === undefined ? [] : [[key, read]]
    })
    return Object.fromEntries(entries)
  }
}

export function isMapping(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
}

const MAX_SPELLED_CHARS = 60

/** A value as it is told of in a message. */
export function spell(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value !== 'string') return JSON.stringify(value)
  return JSON.stringify(value.length > MAX_SPELLED_CHARS ? `${value.slice(0, MAX_SPELLED_CHARS)}…` : value)
}
