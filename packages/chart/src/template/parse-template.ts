import { TemplateError } from '../errors.ts'
import { MAX_NESTING } from '../limits.ts'
import type { Value } from '../value.ts'
import type { Command, Node, Operand, Pipeline, Place, Templates } from './nodes.types.ts'
import { literalText, readWords, type Word } from './read-words.ts'
import { type Piece, splitActions } from './split-actions.ts'

const KEYWORDS = new Set(['if', 'else', 'end', 'range', 'with', 'define', 'block', 'template', 'break', 'continue'])

/** Parses one file into `templates`: its own text under its name, its `define`s under theirs. A later one wins. */
export function parseTemplate(source: string, file: string, templates: Templates): void {
  new Parser(splitActions(source, file), templates).file(file)
}

type Ending = 'end' | 'else' | 'file'

class Parser {
  readonly #pieces: readonly Piece[]
  readonly #templates: Templates
  #at = 0
  #depth = 0
  /** Words behind `else`, such as those of `else if`. */
  #elseWords: Words | undefined

  constructor(pieces: readonly Piece[], templates: Templates) {
    this.#pieces = pieces
    this.#templates = templates
  }

  file(name: string): void {
    const { nodes } = this.#nodes({ file: name, line: 1 }, ['file'])
    this.#templates.set(name, nodes)
  }

  #nodes(opened: Place, endings: readonly Ending[]): { readonly nodes: readonly Node[]; readonly ending: Ending } {
    const nodes: Node[] = []
    if (++this.#depth > MAX_NESTING) throw fault(opened, `more than ${MAX_NESTING} levels of actions`)
    for (;;) {
      const piece = this.#pieces[this.#at++]
      if (piece === undefined) {
        if (!endings.includes('file')) throw fault(opened, 'this action has no {{ end }}')
        this.#depth--
        return { nodes, ending: 'file' }
      }
      if (piece.kind === 'text') {
        nodes.push(piece)
        continue
      }
      const words = new Words(readWords(piece.source, piece.place), piece.place)
      const keyword = words.keyword()
      if (keyword === 'end' || keyword === 'else') {
        if (!endings.includes(keyword)) throw fault(piece.place, `unexpected {{ ${keyword} }}`)
        this.#elseWords = words
        if (keyword === 'end') words.finish()
        this.#depth--
        return { nodes, ending: keyword }
      }
      const node = this.#action(keyword, words)
      if (node !== undefined) nodes.push(node)
    }
  }

  #action(keyword: string | undefined, words: Words): Node | undefined {
    const { place } = words
    switch (keyword) {
      case undefined:
        return { kind: 'print', pipeline: words.pipelineToEnd(), place }
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(keyword, words)
      case 'define':
      case 'block': {
        const name = words.string()
        const argument = keyword === 'block' ? words.pipelineToEnd() : undefined
        words.finish()
        const { nodes } = this.#nodes(place, ['end'])
        // A `define` that says nothing never hides one that does.
        const isBlank = nodes.every((node) => node.kind === 'text' && node.text.trim() === '')
        if (!isBlank || !this.#templates.has(name)) this.#templates.set(name, nodes)
        return keyword === 'block' ? { kind: 'template', name, argument, place } : undefined
      }
      case 'template': {
        const name = words.string()
        const argument = words.atEnd ? undefined : words.pipelineToEnd()
        return { kind: 'template', name, argument, place }
      }
      case 'break':
      case 'continue':
        words.finish()
        return { kind: keyword, place }
      default:
        throw fault(place, `unexpected ${keyword}`)
    }
  }

  #branch(kind: 'if' | 'with' | 'range', words: Words): Node {
    const { place } = words
    const pipeline = words.pipelineToEnd(kind === 'range' ? 2 : 1)
    const body = this.#nodes(place, ['end', 'else'])
    let otherwise: readonly Node[] = []
    const elseWords = this.#elseWords
    if (body.ending === 'else' && elseWords !== undefined) {
      const next = elseWords.keyword()
      if (next === undefined && elseWords.atEnd) otherwise = this.#nodes(place, ['end']).nodes
      else if (next === 'if' || (next === 'with' && kind === 'with')) {
        if (++this.#depth > MAX_NESTING) throw fault(place, `more than ${MAX_NESTING} branches`)
        otherwise = [this.#branch(next, elseWords)]
        this.#depth--
      } else throw fault(elseWords.place, 'unexpected words behind else')
    }
    return { kind, pipeline, body: body.nodes, otherwise, place }
  }
}

/** The words of one action, read from left to right. */
class Words {
  readonly place: Place
  readonly #words: readonly Word[]
  #at = 0
  #depth = 0

  constructor(words: readonly Word[], place: Place) {
    this.#words = words
    this.place = place
  }

  get atEnd(): boolean {
    return this.#at >= this.#words.length
  }

  keyword(): string | undefined {
    const word = this.#words[this.#at]
    if (word?.kind !== 'identifier' || !KEYWORDS.has(word.text)) return undefined
    this.#at++
    return word.text
  }

  string(): string {
    const word = this.#words[this.#at++]
    if (word?.kind !== 'string') throw fault(this.place, 'a template name in quotes is expected')
    return literalText(word, this.place)
  }

  finish(): void {
    const word = this.#words[this.#at]
    if (word !== undefined) throw fault({ ...this.place, line: word.line }, `unexpected ${word.text}`)
  }

  pipelineToEnd(maxVariables = 1): Pipeline {
    const pipeline = this.#pipeline(maxVariables)
    this.finish()
    return pipeline
  }

  #pipeline(maxVariables: number): Pipeline {
    if (++this.#depth > MAX_NESTING) throw fault(this.place, `more than ${MAX_NESTING} parentheses`)
    const { variables, declares } = this.#assignment(maxVariables)
    const commands = [this.#command()]
    while (this.#take('|')) {
      const command = this.#command()
      if (command.words[0]?.kind !== 'function') throw fault(command.place, 'only a function can stand behind |')
      commands.push(command)
    }
    this.#depth--
    return { variables, declares, commands }
  }

  #assignment(max: number): { readonly variables: readonly string[]; readonly declares: boolean } {
    const variables: string[] = []
    for (let at = this.#at; ; at += 2) {
      const name = this.#words[at]
      const after = this.#words[at + 1]
      if (name?.kind !== 'variable' || after?.kind !== 'symbol') return { variables: [], declares: false }
      variables.push(name.text)
      if (after.text === ':=' || after.text === '=') {
        if (variables.length > max) throw fault(this.place, `${variables.length} variables where ${max} can be`)
        this.#at = at + 2
        return { variables, declares: after.text === ':=' }
      }
      if (after.text !== ',') return { variables: [], declares: false }
    }
  }

  #command(): Command {
    const words: Operand[] = []
    const place = { ...this.place, line: this.#words[this.#at]?.line ?? this.place.line }
    for (;;) {
      const word = this.#words[this.#at]
      if (word === undefined || (word.kind === 'symbol' && word.text !== '(')) break
      words.push(this.#operand())
    }
    if (words.length === 0) {
      throw fault(place, `a value is missing${this.atEnd ? '' : ` before ${this.#words[this.#at]?.text}`}`)
    }
    const [first] = words
    if (words.length > 1 && first?.kind === 'literal') throw fault(place, 'a literal takes no arguments')
    return { words, place }
  }

  #operand(): Operand {
    const word = this.#words[this.#at++]
    const place = { ...this.place, line: word?.line ?? this.place.line }
    switch (word?.kind) {
      case 'dot':
        return { kind: 'dot' }
      case 'field':
        return { kind: 'field', path: [word.text.slice(1), ...this.#path()] }
      case 'variable':
        return { kind: 'variable', name: word.text, path: this.#path() }
      case 'string':
        return { kind: 'literal', value: literalText(word, this.place) }
      case 'number':
        return { kind: 'literal', value: numberOf(word.text) }
      case 'identifier':
        if (word.text === 'true' || word.text === 'false') return { kind: 'literal', value: word.text === 'true' }
        if (word.text === 'nil') return { kind: 'literal', value: null }
        if (KEYWORDS.has(word.text)) throw fault(place, `unexpected ${word.text}`)
        return { kind: 'function', name: word.text }
      case 'symbol': {
        if (word.text !== '(') throw fault(place, `unexpected ${word.text}`)
        const pipeline = this.#pipeline(1)
        if (!this.#take(')')) throw fault(place, 'a parenthesis is not closed')
        return { kind: 'nested', pipeline, path: this.#path() }
      }
      case undefined:
        throw fault(place, 'a value is missing')
    }
  }

  #path(): readonly string[] {
    const path: string[] = []
    for (;;) {
      const word = this.#words[this.#at]
      if (word?.kind !== 'field' || !word.glued) return path
      path.push(word.text.slice(1))
      this.#at++
    }
  }

  #take(symbol: string): boolean {
    const word = this.#words[this.#at]
    if (word?.kind !== 'symbol' || word.text !== symbol) return false
    this.#at++
    return true
  }
}

function numberOf(text: string): Value {
  return /[.eE]/.test(text) && !/^[+-]?0[xX]/.test(text) ? Number(text) : integerOf(text)
}

function integerOf(text: string): bigint {
  const negative = text.startsWith('-')
  const size = BigInt(text.replace(/^[+-]/, ''))
  return negative ? -size : size
}

function fault(place: Place, what: string): TemplateError {
  return new TemplateError(`${place.file}:${place.line}: ${what}`)
}
