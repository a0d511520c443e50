/** RFC 7541 appendix A; an entry's index is its place, from 1. */
const ENTRIES = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split('\n')

export const STATIC_NAMES: readonly string[] = ['', ...ENTRIES.map((entry) => entry.split(' ', 1)[0] ?? '')]
export const STATIC_VALUES: readonly string[] = [
  '',
  ...ENTRIES.map((entry) => entry.slice((entry.split(' ', 1)[0] ?? '').length + 1)),
]
export const STATIC_LENGTH: number = ENTRIES.length

/** Index of an entry by name and value, `name\0value`. */
export const STATIC_PAIRS: ReadonlyMap<string, number> = new Map(
  STATIC_NAMES.flatMap((name, index) => (index === 0 ? [] : [[`${name}\0${STATIC_VALUES[index]}`, index] as const])),
)

/** The first index with that name. */
export const STATIC_NAME_INDEX: ReadonlyMap<string, number> = new Map(
  STATIC_NAMES.map((name, index) => [name, index] as const)
    .slice(1)
    .toReversed(),
)
