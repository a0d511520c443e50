import { messageOf } from '@ambit/core'
import type { Environment, ParseResult } from '@marcbachmann/cel-js'
import { arrayOf, isObject, type JsonObject, objectOf, textOf } from '../json.ts'
import { MAX_CEL_MS } from '../limits.ts'
import type { StatusCause } from '../status-error.ts'
import { toCel } from './cel-values.ts'

interface Rule {
  readonly text: string
  readonly program: ParseResult | undefined
  readonly problem: string | undefined
  readonly isTransition: boolean
  readonly definition: JsonObject
  readonly message: ParseResult | undefined
}

export interface UnusableRule {
  readonly path: string
  readonly rule: string
  readonly problem: string
}

/** The CEL rules of one schema. A rule that can't be compiled or run refuses the object: it never passes silently. */
export class CelRules {
  readonly #environment: Environment
  readonly #compiled = new WeakMap<object, readonly Rule[]>()
  readonly #now: () => number
  #deadline = Number.POSITIVE_INFINITY

  constructor(environment: Environment, now: () => number) {
    this.#environment = environment
    this.#now = now
  }

  /** Starts the time that all rules of one object may take together. */
  start(): void {
    this.#deadline = this.#now() + MAX_CEL_MS
  }

  /** Compiles all rules of a schema and names those that can't be used. */
  compileAll(schema: JsonObject, path = ''): readonly UnusableRule[] {
    const unusable: UnusableRule[] = []
    for (const rule of this.#rules(schema)) {
      if (rule.problem !== undefined) unusable.push({ path, rule: rule.text, problem: rule.problem })
    }
    for (const [key, child] of Object.entries(objectOf(schema['properties'])))
      if (isObject(child)) unusable.push(...this.compileAll(child, path === '' ? key : `${path}.${key}`))
    for (const key of ['items', 'additionalProperties'])
      if (isObject(schema[key])) unusable.push(...this.compileAll(schema[key], `${path}[]`))
    return unusable
  }

  check(schema: JsonObject, value: unknown, old: unknown, path: string): readonly StatusCause[] {
    const causes: StatusCause[] = []
    const self = toCel(schema, value)
    const oldSelf = old === undefined ? undefined : toCel(schema, old)
    for (const rule of this.#rules(schema)) {
      if (rule.isTransition && oldSelf === undefined && rule.definition['optionalOldSelf'] !== true) continue
      const context = { self, oldSelf: oldSelf ?? null }
      const failure = this.#run(rule, context)
      if (failure === undefined) continue
      const own = rule.definition['fieldPath']
      const field = typeof own === 'string' ? `${path}${own}` : path
      const reason = typeof rule.definition['reason'] === 'string' ? rule.definition['reason'] : 'FieldValueInvalid'
      const shown =
        typeof value === 'object' ? JSON.stringify(Array.isArray(value) ? 'array' : 'object') : JSON.stringify(value)
      const message =
        reason === 'FieldValueRequired'
          ? `Required value: ${failure}`
          : reason === 'FieldValueForbidden'
            ? `Forbidden: ${failure}`
            : `Invalid value: ${shown}: ${failure}`
      causes.push({ reason, message, field })
    }
    return causes
  }

  #run(rule: Rule, context: Record<string, unknown>): string | undefined {
    if (rule.program === undefined)
      return `rule ${rule.text} of the CRD can't be used, so the object is refused: ${rule.problem}`
    if (this.#now() > this.#deadline) return `validation took longer than ${MAX_CEL_MS} ms, so the object is refused`
    try {
      if (rule.program(context) === true) return undefined
    } catch (error) {
      const own = rule.definition['message']
      const why = firstLine(messageOf(error)).replace(
        /type error: cannot convert to/,
        'type conversion error from this value to',
      )
      return `${typeof own === 'string' && own !== '' ? `${own}: ` : ''}rule ${rule.text} could not be evaluated: ${why}`
    }
    if (rule.message !== undefined) {
      try {
        const text: unknown = rule.message(context)
        if (typeof text === 'string' && text.trim() !== '') return text.trim()
      } catch {
        // The plain message stands in.
      }
    }
    const { message } = rule.definition
    return typeof message === 'string' && message !== '' ? message : `failed rule: ${rule.text}`
  }

  #rules(schema: JsonObject): readonly Rule[] {
    const known = this.#compiled.get(schema)
    if (known !== undefined) return known
    const rules = arrayOf(schema['x-kubernetes-validations']).map((item) => this.#compile(objectOf(item)))
    this.#compiled.set(schema, rules)
    return rules
  }

  #compile(definition: JsonObject): Rule {
    const text = textOf(definition['rule'] ?? '')
    const isTransition = /\boldSelf\b/.test(text)
    const expression = definition['messageExpression']
    let message: ParseResult | undefined
    try {
      if (typeof expression === 'string') message = this.#environment.parse(expression)
    } catch {
      message = undefined
    }
    try {
      // The library's has() takes no index in its path; membership says the same.
      const program = this.#environment.parse(text.replaceAll(/\bhas\(([\w.]+\[\d+\])\.(\w+)\)/g, '("$2" in $1)'))
      const check = program.check()
      if (!check.valid)
        return {
          text,
          program: undefined,
          problem: firstLine(check.error?.message ?? 'type error'),
          isTransition,
          definition,
          message,
        }
      return { text, program, problem: undefined, isTransition, definition, message }
    } catch (error) {
      return { text, program: undefined, problem: firstLine(messageOf(error)), isTransition, definition, message }
    }
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
