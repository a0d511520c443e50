import type { HeaderList } from './request.types.ts'

/**
 * Reads headers as routes and policies do: by lower-case name, the lines of one name joined with commas (cookies with
 * semicolons). `host` is the authority, whatever the lines say.
 */
export function indexHeaders(headers: HeaderList, authority: string): (name: string) => string | undefined {
  const byName = new Map<string, string>()
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = (headers[index] ?? '').toLowerCase()
    const value = headers[index + 1] ?? ''
    const earlier = byName.get(name)
    byName.set(name, earlier === undefined ? value : `${earlier}${name === 'cookie' ? '; ' : ','}${value}`)
  }
  byName.set('host', authority)
  return (name) => byName.get(name)
}
