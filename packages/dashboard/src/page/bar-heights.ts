/** Heights of bars, as parts of the tallest. */
export function barHeights(points: readonly number[], barPoints: number): readonly number[] {
  const sums: number[] = []
  for (let i = points.length % barPoints; i < points.length; i += barPoints) {
    sums.push(points.slice(i, i + barPoints).reduce((sum, one) => sum + one, 0))
  }
  const tallest = Math.max(0, ...sums)
  return sums.map((sum) => (tallest === 0 ? 0 : sum / tallest))
}
