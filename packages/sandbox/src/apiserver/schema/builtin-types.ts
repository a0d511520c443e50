import { BUILTIN_TYPE_TABLE } from './builtin-type-table.ts'
import type { TypeField, TypeNode } from './type-node.ts'

const SCALARS: Readonly<Record<string, TypeNode>> = {
  s: { kind: 'string' },
  i: { kind: 'integer' },
  b: { kind: 'boolean' },
  y: { kind: 'bytes' },
  f: { kind: 'number' },
  time: { kind: 'time' },
  quantity: { kind: 'quantity' },
  intstr: { kind: 'intstr' },
  raw: { kind: 'raw', open: true },
  any: { kind: 'any', open: true },
}

interface Line {
  readonly atomic: boolean
  readonly fields: string
}

/** Types of the built-in kinds, parsed from the table when first asked for. */
export class BuiltinTypes {
  readonly #lines = new Map<string, Line>()
  readonly #nodes = new Map<string, TypeNode>()

  constructor(table: string = BUILTIN_TYPE_TABLE) {
    for (const line of table.split('\n')) {
      const [head, fields] = line.split(' = ', 2)
      if (head === undefined || fields === undefined) continue
      const name = head.replace(' #', '')
      this.#lines.set(name, { atomic: head.endsWith(' #'), fields })
    }
  }

  /** The type of that name; throws when the table lacks it, which is a mistake of ours. */
  get(name: string): TypeNode {
    const known = this.#nodes.get(name) ?? SCALARS[name]
    if (known !== undefined) return known
    const line = this.#lines.get(name)
    if (line === undefined) throw new Error(`type ${name} is not in the built-in table`)
    const fieldsOf = (): ReadonlyMap<string, TypeField> => this.#fields(line.fields)
    let fields: ReadonlyMap<string, TypeField> | undefined
    const node: TypeNode = {
      kind: 'object',
      name,
      atomic: line.atomic,
      get fields() {
        fields ??= fieldsOf()
        return fields
      },
    }
    this.#nodes.set(name, node)
    return node
  }

  #fields(text: string): ReadonlyMap<string, TypeField> {
    const fields = new Map<string, TypeField>()
    for (const item of text.split(', ')) {
      const [name, number, spec] = item.split(':', 3)
      if (name === undefined || spec === undefined) continue
      fields.set(name, this.#field(Number(number), spec.split(' ')))
    }
    return fields
  }

  #field(number: number, [type = '', ...flags]: readonly string[]): TypeField {
    const atomic = flags.includes('#')
    const retainKeys = flags.includes('!')
    const merge = flags.find((flag) => flag.startsWith('~'))
    const keys = flags.find((flag) => flag.startsWith('@'))
    if (type.startsWith('<')) return { type: this.get(type.slice(1)), number, inline: true }
    if (type.startsWith('[]')) {
      const listKeys = keys === undefined ? undefined : keys === '@=' ? ('set' as const) : keys.slice(1).split('+')
      const keyDefaults = listKeys !== 'set' && listKeys?.includes('protocol') ? { protocol: 'TCP' } : undefined
      const of = this.get(type.slice(2))
      return { type: { kind: 'list', of, listKeys, keyDefaults, mergeKey: merge?.slice(1), retainKeys }, number }
    }
    if (type.startsWith('{}')) return { type: { kind: 'map', of: this.get(type.slice(2)), atomic }, number }
    const node = this.get(type)
    if (flags.includes('0')) return { type: node, number, zeroIsAbsent: true }
    if (!atomic && !retainKeys) return { type: node, number }
    const { kind, name } = node
    return {
      type: {
        kind,
        name,
        atomic: atomic || node.atomic,
        retainKeys,
        get fields() {
          return node.fields
        },
      },
      number,
    }
  }
}

/** JSON fields of an object type with inlined messages flattened. */
export function jsonFields(node: TypeNode): ReadonlyMap<string, TypeField> {
  const known = flattened.get(node)
  if (known !== undefined) return known
  const fields = new Map<string, TypeField>()
  for (const [name, field] of node.fields ?? []) {
    if (field.inline) for (const [inner, innerField] of jsonFields(field.type)) fields.set(inner, innerField)
    else fields.set(name, field)
  }
  flattened.set(node, fields)
  return fields
}

// A cache by identity of immutable nodes, no state.
const flattened = new WeakMap<TypeNode, ReadonlyMap<string, TypeField>>()
