/** One of the items, each with the chance of its weight; undefined when all weights are zero. `random` gives 0 ≤ x < 1. */
export function drawByWeight<T>(
  items: readonly T[],
  weightOf: (item: T) => number,
  random: () => number,
): T | undefined {
  let total = 0
  for (const item of items) total += weightOf(item)
  let ticket = random() * total
  let last: T | undefined
  for (const item of items) {
    const weight = weightOf(item)
    if (weight === 0) continue
    ticket -= weight
    if (ticket < 0) return item
    last = item
  }
  // Only rounding leads here.
  return last
}
