import { reject } from './rejection.ts'

/** Looks an enum number up in a table of domain words; a number this version does not know rejects the resource. */
export function enumWord<W extends string>(field: string, number: number, words: Readonly<Record<number, W>>): W {
  const word = Object.hasOwn(words, number) ? words[number] : undefined
  if (word === undefined) reject('unknown-enum', `${field}: unknown value ${number}`)
  return word
}
