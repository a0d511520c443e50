/** The first value of each parameter, percent-decoded; a parameter without `=` has the empty value. */
export function firstQueryValues(query: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodePercent(equals < 0 ? pair : pair.slice(0, equals))
    if (!values.has(name)) values.set(name, equals < 0 ? '' : decodePercent(pair.slice(equals + 1)))
  }
  return values
}

/** Text that is not valid percent-encoded UTF-8 stands for itself: it matches no condition that was not written so. */
function decodePercent(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
