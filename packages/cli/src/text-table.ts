/**
 * Lines of a table as Go's tabwriter prints them: each column as wide as its widest cell plus `padding`, the last cell of
 * a line unpadded. Width counts code points; control characters are shown escaped, since cells may come from the network.
 */
export function textTable(rows: readonly (readonly string[])[], padding: number): readonly string[] {
  const safe = rows.map((row) => row.map(printable))
  const widths: number[] = []
  for (const row of safe) {
    for (const [column, cell] of row.entries()) {
      if (column < row.length - 1) widths[column] = Math.max(widths[column] ?? 0, width(cell))
    }
  }
  return safe.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - width(cell) + padding),
      )
      .join(''),
  )
}

/** `text` with control characters escaped, so that a name from the network cannot drive the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function width(text: string): number {
  let points = 0
  for (const _ of text) points++
  return points
}
