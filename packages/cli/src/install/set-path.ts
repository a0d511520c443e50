import type { Value, ValueMap } from '@ambit/chart'
import { SettingError } from '../errors.ts'
import { MAX_SETTING_INDEX } from '../limits.ts'

export interface Setting {
  readonly path: readonly (string | number)[]
  readonly value: Value
}

/** `a.b[0].c=value`; a dot of a name is written `\.`, and the value may hold any further `=`. */
export function parseSetting(text: string): Setting {
  const equals = text.search(/(?<!\\)=/)
  if (equals <= 0) throw new SettingError(`--set needs path=value, not "${text}"`)
  const path = parsePath(text.slice(0, equals))
  const raw = text.slice(equals + 1)
  return { path, value: isAlwaysText(path) ? raw : parseValue(raw) }
}

function parsePath(text: string): readonly (string | number)[] {
  const path = text.split(/(?<!\\)\.(?!\[)/).flatMap((part): (string | number)[] => {
    const found = /^(.*?)((?:\.?\[\d+\])*)$/.exec(part)
    const name = (found?.[1] ?? '').replaceAll('\\', '')
    const indexes = [...(found?.[2] ?? '').matchAll(/\d+/g)].map(([digits]) => Number(digits))
    return name === '' ? indexes : [name, ...indexes]
  })
  const wrong = path.find((part) => part === '' || (typeof part === 'string' && /[[\]]/.test(part)))
  if (path.length === 0 || wrong !== undefined || typeof path[0] === 'number') {
    throw new SettingError(
      `--set ${text}: no path such as values.global.logAsJson or components.ingressGateways[0].name`,
    )
  }
  return path
}

/** A tag such as 1.30 is a name, not a number. */
function isAlwaysText(path: readonly (string | number)[]): boolean {
  return ['hub', 'tag', 'revision', 'variant', 'profile', 'clusterName', 'network'].includes(String(path.at(-1)))
}

function parseValue(raw: string): Value {
  if (raw === 'true' || raw === 'false') return raw === 'true'
  if (raw === 'null') return null
  if (/^-?\d{1,15}(\.\d+)?$/.test(raw)) return Number(raw)
  if (/^".*"$/s.test(raw)) return raw.slice(1, -1)
  const list = /^\{(.*)\}$/s.exec(raw)
  if (list !== null) return list[1] === '' ? [] : (list[1] ?? '').split(',').map((item) => parseValue(item.trim()))
  if (raw === '[]') return []
  return raw
}

/** Puts the value into the tree; what is on the way and not there is made. */
export function applySetting(tree: ValueMap, setting: Setting): void {
  let at: ValueMap | Value[] = tree
  for (const [depth, key] of setting.path.entries()) {
    const next = setting.path[depth + 1]
    const where = (): string => describePath(setting.path.slice(0, depth + 1))
    const put = (value: Value): void => {
      if (Array.isArray(at)) {
        const index = Number(key)
        if (index > at.length || index > MAX_SETTING_INDEX) {
          throw new SettingError(`--set ${where()}: the list has ${at.length} entries, so the next is [${at.length}]`)
        }
        at[index] = value
      } else at.set(String(key), value)
    }
    if (Array.isArray(at) !== (typeof key === 'number')) {
      throw new SettingError(
        `--set ${where()}: ${typeof key === 'number' ? 'no list' : 'a list, which needs an index'}`,
      )
    }
    if (next === undefined) {
      put(setting.value)
      return
    }
    const here: Value | undefined = Array.isArray(at) ? at[Number(key)] : at.get(String(key))
    const wanted: ValueMap | Value[] = typeof next === 'number' ? [] : new Map()
    const fits: boolean = Array.isArray(here) ? typeof next === 'number' : here instanceof Map
    if (!fits) put(wanted)
    const inner: Value | undefined = fits ? here : wanted
    if (!Array.isArray(inner) && !(inner instanceof Map)) return
    at = inner
  }
}

export function describePath(path: readonly (string | number)[]): string {
  return path.map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`)).join('')
}
