import { messageOf } from '@ambit/core'
import type { ParseResult } from '@marcbachmann/cel-js'
import type { KubeObject } from '../contract.types.ts'
import { celEnvironment } from '../crd/cel-environment.ts'
import { RESERVED } from '../crd/cel-values.ts'
import { isObject, type JsonObject } from '../json.ts'
import { jsonFields } from '../schema/builtin-types.ts'
import { withTypeMeta } from '../schema/check-fields.ts'
import type { TypeNode } from '../schema/type-node.ts'
import { registerAuthorizer } from './cel-authorizer.ts'

/** An expression of a policy or a webhook's condition; one that can't be compiled says why when it is run. */
export type Expression = (variables: Readonly<Record<string, unknown>>) => unknown

export class ExpressionError extends Error {}

const VARIABLES = ['object', 'oldObject', 'request', 'params', 'namespaceObject', 'variables', 'authorizer']

/** Compiles CEL as admission knows it. */
export class AdmissionExpressions {
  readonly #environment = celEnvironment()

  constructor() {
    registerAuthorizer(this.#environment)
    for (const name of VARIABLES) this.#environment.registerVariable(name, 'dyn')
  }

  /** Why an expression can't be used; undefined when it can. */
  problem(text: string): string | undefined {
    const compiled = this.#parse(text)
    return typeof compiled === 'string' ? compiled : undefined
  }

  compile(text: string): Expression {
    const compiled = this.#parse(text)
    return (variables) => {
      if (typeof compiled === 'string') throw new ExpressionError(`compilation error: ${compiled}`)
      try {
        return compiled({ ...variables })
      } catch (error) {
        throw new ExpressionError(firstLine(messageOf(error)))
      }
    }
  }

  #parse(text: string): ParseResult | string {
    try {
      const program = this.#environment.parse(text)
      const check = program.check()
      return check.valid ? program : firstLine(check.error?.message ?? 'type error')
    } catch (error) {
      return firstLine(messageOf(error))
    }
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}

/** An object as expressions see it: integers of 64 bits, fields whose names CEL reserves also under their escaped ones. */
export function expressionObject(type: TypeNode, object: KubeObject | undefined): unknown {
  return object === undefined ? null : convert(withTypeMeta(type), object)
}

/** A JSON value nothing is known of. */
export function expressionValue(value: unknown): unknown {
  return convert(undefined, value)
}

function convert(type: TypeNode | undefined, value: unknown): unknown {
  if (typeof value === 'number') return type?.kind === 'number' || !Number.isSafeInteger(value) ? value : BigInt(value)
  if (Array.isArray(value)) return value.map((item: unknown) => convert(type?.of, item))
  if (!isObject(value)) return value ?? null
  const fields = type?.kind === 'object' ? jsonFields(type) : undefined
  const result: JsonObject = {}
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__' || item === undefined) continue
    const field = fields?.get(key)?.type
    result[key] = convert(field ?? (type?.kind === 'map' ? type.of : undefined), item)
    if (field !== undefined && RESERVED.has(key)) result[`__${key}__`] = result[key]
  }
  return result
}
