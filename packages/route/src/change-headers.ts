import type { HeaderChanges, HeaderValue } from '@ambit/state'
import type { HeaderList } from './request.types.ts'

/** These belong to one hop or frame the message; no route may touch them. */
const OF_THE_HOP: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const HOST = 'host'

/** Whether header changes may name it. `host` is not among them: it is a change of the authority. */
function isChangeable(name: string): boolean {
  return !name.startsWith(':') && name !== HOST && !OF_THE_HOP.has(name)
}

/** Removes, then sets, then adds, as a line of its own; returns the same list when there is nothing to change. */
export function changeHeaders(headers: HeaderList, { remove, set, add }: HeaderChanges): HeaderList {
  if (remove.length === 0 && set.length === 0 && add.length === 0) return headers
  const replaced = new Set([...remove, ...set.map(({ name }) => name)].filter(isChangeable))
  const changed: string[] = []
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const [name = '', value = ''] = [headers[index], headers[index + 1]]
    if (!replaced.has(name.toLowerCase())) changed.push(name, value)
  }
  for (const { name, value } of lastOfEach(set)) if (isChangeable(name)) changed.push(name, value)
  for (const { name, value } of add) if (isChangeable(name)) changed.push(name, value)
  return changed
}

/** The authority a request gets by changes of its `Host`; it can not be removed. */
export function authorityOf({ set, add }: HeaderChanges): string | undefined {
  return [...set, ...add].findLast(({ name }) => name === HOST)?.value
}

function lastOfEach(values: readonly HeaderValue[]): Iterable<HeaderValue> {
  return new Map(values.map((header) => [header.name, header])).values()
}
