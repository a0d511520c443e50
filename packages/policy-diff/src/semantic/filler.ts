const LETTERS = 'xqzjkvwuo0123456789bcdfghilmnprstyea'

/** A word made of a letter that none of the texts has: no prefix, suffix or segment of them is in it by chance. */
export function freshWord(texts: readonly string[]): string | undefined {
  const used = new Set(texts.join(''))
  const letter = LETTERS.split('').find((one) => !used.has(one))
  return letter?.repeat(3)
}
