import { isObject } from '../json.ts'

type Step =
  | { readonly key: string }
  | { readonly all: true }
  | { readonly filter: { readonly path: string; readonly value: string } }

/** Values at a simple JSONPath as printer columns use it: `.a.b`, `['a']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`. */
export function jsonPathValues(value: unknown, path: string): readonly unknown[] {
  let here: readonly unknown[] = [value]
  for (const step of parse(path)) here = here.flatMap((item) => take(item, step))
  return here.filter((item) => item !== undefined && item !== null)
}

function parse(path: string): readonly Step[] {
  const steps: Step[] = []
  const pattern =
    /\.?\[\?\(\s*@\.([\w.\\/-]+)\s*==\s*["']([^"']*)["']\s*\)\]|\.?\[\*\]|\.?\[['"]([^'"]+)['"]\]|\.?\[(\d+)\]|\.((?:[\w/-]|\\\.)+)|\.\*/gy
  for (const match of path.matchAll(pattern)) {
    const [text, filterPath, filterValue, quoted, index, name] = match
    if (filterPath !== undefined) steps.push({ filter: { path: filterPath, value: filterValue ?? '' } })
    else if (quoted !== undefined) steps.push({ key: quoted })
    else if (index !== undefined) steps.push({ key: index })
    else if (name !== undefined) steps.push({ key: name.replaceAll('\\.', '.') })
    else if (text.includes('*')) steps.push({ all: true })
  }
  return steps
}

function take(item: unknown, step: Step): readonly unknown[] {
  if ('all' in step) return Array.isArray(item) ? item : isObject(item) ? Object.values(item) : []
  if ('filter' in step) {
    if (!Array.isArray(item)) return []
    return item.filter((each: unknown) =>
      jsonPathValues(each, `.${step.filter.path}`).some((found) => String(found) === step.filter.value),
    )
  }
  if (Array.isArray(item)) return [item[Number(step.key)]]
  return isObject(item) && Object.hasOwn(item, step.key) ? [item[step.key]] : []
}
