import type { CompletionNode, ValueKind } from './completion-nodes.ts'

/**
 * The command tree as shell functions that bash and zsh both understand. Each answers in REPLY and fails when it has no
 * answer: `_ambit_child NODE WORD`, `_ambit_value NODE FLAG`, `_ambit_commands NODE`, `_ambit_aliases NODE`,
 * `_ambit_flags NODE`.
 */
export function shellTables(nodes: readonly CompletionNode[]): string {
  const [root] = nodes
  const help: readonly [string, string][] = root === undefined ? [] : [[`${root.path}|help`, root.path]]
  return [
    shellCase('_ambit_child', '$1|$2', [
      ...help,
      ...nodes.flatMap(({ path, commands }) =>
        commands.flatMap(({ name, aliases }): [string, string][] =>
          [name, ...aliases].map((word) => [`${path}|${word}`, `${path} ${name}`]),
        ),
      ),
    ]),
    shellCase(
      '_ambit_value',
      '$1|$2',
      nodes.flatMap(({ path, flags }) =>
        flags.flatMap(({ words, value }): [string, string][] =>
          value === undefined ? [] : words.map((word) => [`${path}|${word}`, valueWord(value)]),
        ),
      ),
    ),
    shellCase(
      '_ambit_commands',
      '$1',
      wordsOf(nodes, (node) => [...node.commands.map(({ name }) => name), ...(node === root ? ['help'] : [])]),
    ),
    shellCase(
      '_ambit_aliases',
      '$1',
      wordsOf(nodes, (node) => node.commands.flatMap(({ aliases }) => aliases)),
    ),
    shellCase(
      '_ambit_flags',
      '$1',
      wordsOf(nodes, (node) => node.flags.flatMap(({ words }) => words)),
    ),
  ].join('\n')
}

/** `text` as one word of a shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** A function that looks `subject` up; entries with the same answer share a line. */
export function shellCase(name: string, subject: string, entries: readonly (readonly [string, string])[]): string {
  const patterns = new Map<string, string[]>()
  for (const [pattern, answer] of entries) patterns.set(answer, [...(patterns.get(answer) ?? []), shellQuote(pattern)])
  const lines = [...patterns].map(([answer, all]) => `    ${all.join('|')}) REPLY=${shellQuote(answer)} ;;`)
  return `${name}() {\n  case "${subject}" in\n${lines.join('\n')}\n    *) REPLY=''; return 1 ;;\n  esac\n}`
}

function wordsOf(
  nodes: readonly CompletionNode[],
  words: (node: CompletionNode) => readonly string[],
): readonly (readonly [string, string])[] {
  return nodes.filter((node) => words(node).length > 0).map((node) => [node.path, words(node).join(' ')])
}

/** `@namespaces` and the like are for the script to ask for; anything else is the list of choices. */
function valueWord(value: ValueKind): string {
  return value.kind === 'choices' ? value.choices.join(' ') : `@${value.kind}`
}
