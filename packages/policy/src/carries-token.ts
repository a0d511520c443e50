/** Whether a request has a token in one of Istio's default places: the bearer header, then a query parameter. */
export function carriesToken(authorization: string | undefined, query: string | undefined): boolean {
  if (/(?:^|,)\s*bearer\b/i.test(authorization ?? '')) return true
  return query !== undefined && query.split(/[&;]/).some((pair) => /^access_token(?:=|$)/i.test(decodeLoosely(pair)))
}

/** One pair at a time: what can not be decoded in another must not hide a name. */
function decodeLoosely(pair: string): string {
  const [name = ''] = pair.split('=', 1)
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
