/** What a value may be and how changes to it merge; built from the built-in table or from a CRD's schema. */
export interface TypeNode {
  readonly kind:
    | 'string'
    | 'integer'
    | 'number'
    | 'boolean'
    | 'bytes'
    | 'time'
    | 'quantity'
    | 'intstr'
    | 'raw'
    | 'any'
    | 'object'
    | 'map'
    | 'list'
  readonly name?: string | undefined
  /** Of an object, by JSON name. A getter where types are recursive. */
  readonly fields?: ReadonlyMap<string, TypeField> | undefined
  /** Of a map's values or a list's items. */
  readonly of?: TypeNode | undefined
  /** Unknown fields are kept (CRDs with x-kubernetes-preserve-unknown-fields). */
  readonly open?: boolean | undefined
  readonly atomic?: boolean | undefined
  /** Server-side apply: keys of a list that is a map; 'set' for a set; absent: atomic. */
  readonly listKeys?: readonly string[] | 'set' | undefined
  /** Defaults of list map keys, e.g. protocol TCP. */
  readonly keyDefaults?: Readonly<Record<string, unknown>> | undefined
  /** Strategic merge patch: key of the items, empty for scalars. */
  readonly mergeKey?: string | undefined
  readonly retainKeys?: boolean | undefined
}

export interface TypeField {
  readonly type: TypeNode
  /** Field number in protobuf; undefined for CRDs. */
  readonly number?: number | undefined
  /** Protobuf only: zero and false, which it always sends, mean that the field is absent. */
  readonly zeroIsAbsent?: boolean | undefined
  /** Protobuf only: fields of this message appear inline in JSON. */
  readonly inline?: boolean | undefined
}

/** A value nothing is known about. */
export const ANY_TYPE: TypeNode = { kind: 'any', open: true }
