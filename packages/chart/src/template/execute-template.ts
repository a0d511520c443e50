import { messageOf } from '@ambit/core'
import { FunctionError, TemplateError } from '../errors.ts'
import { MAX_INCLUDE_DEPTH, MAX_OUTPUT_CHARACTERS, MAX_STEPS } from '../limits.ts'
import { isTrue, Struct, sortedKeys, toText, typeName, type Value } from '../value.ts'
import type { Command, Node, Operand, Pipeline, Place, Templates } from './nodes.types.ts'

/** A function that templates call by name. */
export interface TemplateFunction {
  /** Fewest and most arguments. */
  readonly arity: readonly [number, number]
  readonly call: (args: readonly Value[], template: Caller) => Value
}

/** What functions such as `include` need of the template that calls them. */
export interface Caller {
  readonly include: (name: string, dot: Value) => string
  readonly renderText: (text: string, dot: Value) => string
}

export interface ExecutionOptions {
  readonly templates: Templates
  readonly functions: ReadonlyMap<string, TemplateFunction>
  /** Parses a text for `tpl`; its definitions are seen by it alone. */
  readonly parseText: (text: string, name: string, known: Templates) => Templates
}

/** Runs templates; one of these per rendering, since it counts what the rendering costs. */
export class TemplateRunner {
  readonly #options: ExecutionOptions
  #steps = 0
  #written = 0
  #depth = 0

  constructor(options: ExecutionOptions) {
    this.#options = options
  }

  run(name: string, dot: Value, at?: Place): string {
    return this.#include(this.#options.templates, name, dot, at)
  }

  #include(templates: Templates, name: string, dot: Value, at: Place | undefined): string {
    const nodes = templates.get(name)
    if (nodes === undefined) throw fault(at, `template ${JSON.stringify(name)} is not defined`)
    if (++this.#depth > MAX_INCLUDE_DEPTH) {
      throw fault(at, `templates include each other more than ${MAX_INCLUDE_DEPTH} times`)
    }
    const frame = new Frame(templates, dot, this)
    frame.run(nodes, dot)
    this.#depth--
    return frame.output
  }

  caller(templates: Templates, place: Place): Caller {
    return {
      include: (name, dot) => this.#include(templates, name, dot, place),
      renderText: (text, dot) => {
        const name = `${place.file}:${place.line} (tpl)`
        const parsed = this.#options.parseText(text, name, templates)
        return this.#include(parsed, name, dot, place)
      },
    }
  }

  functionOf(name: string, place: Place): TemplateFunction {
    const found = this.#options.functions.get(name)
    if (found === undefined) throw fault(place, `function ${JSON.stringify(name)} is not known`)
    return found
  }

  step(place: Place): void {
    if (++this.#steps > MAX_STEPS) throw fault(place, `more than ${MAX_STEPS} steps in one rendering`)
  }

  wrote(characters: number, place: Place | undefined): void {
    this.#written += characters
    if (this.#written > MAX_OUTPUT_CHARACTERS)
      throw fault(place, `the output exceeds ${MAX_OUTPUT_CHARACTERS} characters`)
  }
}

type Flow = 'next' | 'break' | 'continue'

/** One run of one named template. */
class Frame {
  readonly #templates: Templates
  readonly #runner: TemplateRunner
  /** Innermost last, as scopes end in the reverse order of their beginning. */
  readonly #variables: { readonly name: string; value: Value }[] = []
  output = ''

  constructor(templates: Templates, root: Value, runner: TemplateRunner) {
    this.#templates = templates
    this.#runner = runner
    this.#variables.push({ name: '$', value: root })
  }

  run(nodes: readonly Node[], dot: Value): Flow {
    for (const node of nodes) {
      const flow = this.#node(node, dot)
      if (flow !== 'next') return flow
    }
    return 'next'
  }

  #scoped(nodes: readonly Node[], dot: Value, declare?: () => void): Flow {
    const mark = this.#variables.length
    declare?.()
    const flow = this.run(nodes, dot)
    this.#variables.length = mark
    return flow
  }

  #node(node: Node, dot: Value): Flow {
    switch (node.kind) {
      case 'text':
        this.#write(node.text, undefined)
        return 'next'
      case 'print': {
        const value = this.#pipeline(node.pipeline, dot, true)
        if (node.pipeline.variables.length === 0) {
          this.#write(
            inPlace(node.place, () => toText(value)),
            node.place,
          )
        }
        return 'next'
      }
      case 'if':
      case 'with': {
        const mark = this.#variables.length
        const value = this.#pipeline(node.pipeline, dot, true)
        const inner = node.kind === 'with' ? value : dot
        const flow = isTrue(value) ? this.#scoped(node.body, inner) : this.#scoped(node.otherwise, dot)
        this.#variables.length = mark
        return flow
      }
      case 'range':
        return this.#range(node, dot)
      case 'template': {
        const argument = node.argument === undefined ? null : this.#pipeline(node.argument, dot, true)
        this.#write(this.#runner.caller(this.#templates, node.place).include(node.name, argument), node.place)
        return 'next'
      }
      case 'break':
      case 'continue':
        return node.kind
    }
  }

  #range(node: Node & { readonly kind: 'range' }, dot: Value): Flow {
    const mark = this.#variables.length
    const { variables, declares } = node.pipeline
    const value = this.#pipeline(node.pipeline, dot, false)
    const entries = inPlace(node.place, () => entriesOf(value))
    const [first, second] = variables
    for (const [key, item] of entries) {
      this.#runner.step(node.place)
      const flow = this.#scoped(node.body, item, () => {
        // One variable is the element, two are the key and the element.
        if (first !== undefined) this.#set(first, second === undefined ? item : key, declares, node.place)
        if (second !== undefined) this.#set(second, item, declares, node.place)
      })
      if (flow === 'break') break
    }
    this.#variables.length = mark
    return entries.length === 0 ? this.#scoped(node.otherwise, dot) : 'next'
  }

  #pipeline(pipeline: Pipeline, dot: Value, sets: boolean): Value {
    let value: Value = null
    for (const [index, command] of pipeline.commands.entries()) {
      value = this.#command(command, dot, index === 0 ? [] : [value])
    }
    const [name] = pipeline.variables
    if (sets && name !== undefined) {
      this.#set(name, value, pipeline.declares, pipeline.commands[0]?.place)
    }
    return value
  }

  #command(command: Command, dot: Value, last: readonly Value[]): Value {
    const { place } = command
    this.#runner.step(place)
    const [first, ...rest] = command.words
    if (first === undefined) return null
    if (first.kind === 'function') {
      const lazy = first.name === 'and' || first.name === 'or' ? first.name : undefined
      if (lazy !== undefined) return this.#shortCircuit(lazy, rest, dot, last, place)
      return this.#call(first.name, [...rest.map((word) => this.#operand(word, dot, place)), ...last], place)
    }
    const args = [...rest.map((word) => this.#operand(word, dot, place)), ...last]
    return this.#operand(first, dot, place, args)
  }

  /** `and` and `or` give the deciding argument and look at no further one. */
  #shortCircuit(
    name: 'and' | 'or',
    words: readonly Operand[],
    dot: Value,
    last: readonly Value[],
    place: Place,
  ): Value {
    if (words.length + last.length === 0) throw fault(place, `${name} needs an argument`)
    let value: Value = null
    for (const word of words) {
      value = this.#operand(word, dot, place)
      if (isTrue(value) === (name === 'or')) return value
    }
    return last.length > 0 ? (last[0] ?? null) : value
  }

  #call(name: string, args: readonly Value[], place: Place): Value {
    const { arity, call } = this.#runner.functionOf(name, place)
    const [min, max] = arity
    if (args.length < min || args.length > max) {
      const wanted = min === max ? `${min}` : max === Infinity ? `at least ${min}` : `${min} to ${max}`
      throw fault(place, `${name} takes ${wanted} arguments, not ${args.length}`)
    }
    return inPlace(place, () => call(args, this.#runner.caller(this.#templates, place)), name)
  }

  #operand(word: Operand, dot: Value, place: Place, args: readonly Value[] = []): Value {
    switch (word.kind) {
      case 'literal':
        return word.value
      case 'dot':
        if (args.length > 0) throw fault(place, 'the dot takes no arguments')
        return dot
      case 'function':
        return this.#call(word.name, args, place)
      case 'field':
        return fieldOf(dot, word.path, args, place)
      case 'variable':
        return fieldOf(this.#variable(word.name, place).value, word.path, args, place)
      case 'nested':
        return fieldOf(this.#pipeline(word.pipeline, dot, true), word.path, args, place)
    }
  }

  #variable(name: string, place: Place | undefined): { value: Value } {
    const found = this.#variables.findLast((variable) => variable.name === name)
    if (found === undefined) throw fault(place, `variable ${name} is not declared`)
    return found
  }

  #set(name: string, value: Value, declares: boolean, place: Place | undefined): void {
    if (declares) this.#variables.push({ name, value })
    else this.#variable(name, place).value = value
  }

  #write(text: string, place: Place | undefined): void {
    this.#runner.wrote(text.length, place)
    this.output += text
  }
}

/**
 * A chain of fields. Nothing at its start gives nothing, as Go has it for `(.a).b`; nothing in its middle is an error, as is
 * a field that a type does not have. A key that a map does not have is nothing.
 */
function fieldOf(start: Value, path: readonly string[], args: readonly Value[], place: Place): Value {
  let value = start
  for (const [index, name] of path.entries()) {
    const isLast = index === path.length - 1
    if (value === null) {
      if (index === 0) return null
      throw fault(place, `.${path.slice(0, index).join('.')} is nil, so it has no .${name}`)
    }
    if (value instanceof Map) value = value.get(name) ?? null
    else if (value instanceof Struct) {
      const method = value.methods.get(name)
      if (method !== undefined) {
        value = inPlace(place, () => method(...(isLast ? args : [])), name)
        if (isLast) return value
        continue
      }
      const field = value.fields.get(name)
      if (field === undefined) throw fault(place, `${value.typeName} has no field or method ${name}`)
      value = field
    } else throw fault(place, `${typeName(value)} has no field ${name} (.${path.join('.')})`)
  }
  if (args.length > 0) throw fault(place, `.${path.join('.')} is no function, and was given arguments`)
  return value
}

function entriesOf(value: Value): readonly (readonly [Value, Value])[] {
  if (value === null) return []
  if (Array.isArray(value)) return value.map((item, index) => [BigInt(index), item] as const)
  if (value instanceof Map) return sortedKeys(value).map((key) => [key, value.get(key) ?? null] as const)
  if (value instanceof Struct && value.content !== undefined) return entriesOf(value.content)
  if (typeof value === 'bigint') {
    return Array.from({ length: Number(value) }, (_, index) => [BigInt(index), BigInt(index)] as const)
  }
  throw new FunctionError(`range can't iterate over ${typeName(value)}`)
}

function inPlace<T>(place: Place, action: () => T, what?: string): T {
  try {
    return action()
  } catch (cause) {
    if (!(cause instanceof FunctionError)) throw cause
    throw new TemplateError(
      `${place.file}:${place.line}: ${what === undefined ? '' : `${what}: `}${messageOf(cause)}`,
      { cause },
    )
  }
}

function fault(place: Place | undefined, what: string): TemplateError {
  return new TemplateError(place === undefined ? what : `${place.file}:${place.line}: ${what}`)
}
