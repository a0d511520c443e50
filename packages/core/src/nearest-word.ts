/** The beginning of it, or a slip or two; of a short word one slip only, else everything is near. */
export function isNear(name: string, wrong: string): boolean {
  return wrong.length > 1 && (name.startsWith(wrong) || editDistance(name, wrong) <= (wrong.length > 3 ? 2 : 1))
}

/** Levenshtein distance of two words, each cut at 32 characters. */
function editDistance(a: string, b: string): number {
  const left = a.slice(0, 32)
  const right = b.slice(0, 32)
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 0; i < left.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < right.length; j++) {
      const replaced = (row[j] ?? 0) + (left[i] === right[j] ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** The known word that was probably meant. */
export function nearestWord(known: Iterable<string>, wrong: string): string | undefined {
  const near = [...known].filter((name) => isNear(name, wrong))
  return near.toSorted((a, b) => editDistance(a, wrong) - editDistance(b, wrong))[0]
}
