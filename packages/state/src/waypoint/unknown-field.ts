/**
 * The path of the first field of a later version anywhere inside a message. Such a field may narrow what it sits in, so who ignores it may
 * read the message wider than it was written. Keys of `except` are not looked into.
 */
export function unknownFieldIn(message: object, path: string, except: ReadonlySet<string> = NONE): string | undefined {
  for (const [key, value] of Object.entries(message)) {
    if (key === '$unknown') {
      const [field] = value as readonly { readonly no: number }[]
      if (field !== undefined) return `${path}: unknown field ${field.no}`
    } else if (typeof value === 'object' && value !== null && !except.has(key)) {
      const found = unknownFieldIn(
        value as object,
        Array.isArray(message) ? `${path}[${key}]` : `${path}.${key}`,
        except,
      )
      if (found !== undefined) return found
    }
  }
  return undefined
}

const NONE: ReadonlySet<string> = new Set()
