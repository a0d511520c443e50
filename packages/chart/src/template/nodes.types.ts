import type { Value } from '../value.ts'

/** Where something stands in a template. */
export interface Place {
  /** `chart/templates/file.yaml` */
  readonly file: string
  readonly line: number
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline; readonly place: Place }
  | {
      readonly kind: 'if' | 'with'
      readonly pipeline: Pipeline
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
      readonly place: Place
    }
  | {
      readonly kind: 'range'
      readonly pipeline: Pipeline
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
      readonly place: Place
    }
  | { readonly kind: 'template'; readonly name: string; readonly argument: Pipeline | undefined; readonly place: Place }
  | { readonly kind: 'break' | 'continue'; readonly place: Place }

export interface Pipeline {
  /** Variables declared (`:=`) or assigned (`=`); a range may have two. */
  readonly variables: readonly string[]
  readonly declares: boolean
  readonly commands: readonly Command[]
}

/** A function with arguments, or one operand. */
export interface Command {
  readonly words: readonly Operand[]
  readonly place: Place
}

export type Operand =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'dot' }
  | { readonly kind: 'function'; readonly name: string }
  /** `.a.b` on the dot */
  | { readonly kind: 'field'; readonly path: readonly string[] }
  /** `$x.a.b`; `$` alone is the root */
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  /** `(pipeline).a.b` */
  | { readonly kind: 'nested'; readonly pipeline: Pipeline; readonly path: readonly string[] }

/** Named templates: `define`s, and each file under its own name. */
export type Templates = Map<string, readonly Node[]>
