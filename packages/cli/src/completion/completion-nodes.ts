import type { CommandSpec, FlagSpec } from '../grammar/command.types.ts'

/** What a shell offers for a flag's value. */
export type ValueKind =
  | { readonly kind: 'choices'; readonly choices: readonly string[] }
  | { readonly kind: 'namespaces' | 'files' | 'anything' }

/** One place in the command tree as completion needs it. */
export interface CompletionNode {
  /** Canonical words that lead here, the program's name first. */
  readonly path: string
  readonly commands: readonly { readonly name: string; readonly aliases: readonly string[]; readonly summary: string }[]
  readonly flags: readonly { readonly words: readonly string[]; readonly summary: string; readonly value?: ValueKind }[]
}

const HELP: FlagSpec = { name: 'help', short: 'h', kind: 'none', summary: 'explain the command' }
/** What stands behind a placeholder of the help text. */
const KINDS: Readonly<Record<string, 'namespaces' | 'files'>> = { NS: 'namespaces', FILE: 'files' }

/** The nodes of a command tree, each with every flag that may stand there. Commands that do not exist yet are left out. */
export function completionNodes<C>(root: CommandSpec<C>, globals: readonly FlagSpec[]): readonly CompletionNode[] {
  const visit = (command: CommandSpec<C>, path: string, inherited: readonly FlagSpec[]): readonly CompletionNode[] => {
    const known = [...(command.flags ?? []), ...inherited.filter((flag) => !has(command.flags, flag))]
    const children = (command.subcommands ?? []).filter((child) => child.notYet === undefined)
    const node: CompletionNode = {
      path,
      commands: children.map(({ name, aliases = [], summary }) => ({ name, aliases, summary })),
      flags: known.map((flag) => ({
        words: [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])],
        summary: flag.summary,
        ...(flag.kind === 'none' ? {} : { value: valueKind(flag) }),
      })),
    }
    return [node, ...children.flatMap((child) => visit(child, `${path} ${child.name}`, known))]
  }
  return visit(root, root.name, [...globals, HELP])
}

function has(flags: readonly FlagSpec[] | undefined, flag: FlagSpec): boolean {
  return flags?.some((own) => own.name === flag.name) === true
}

function valueKind(flag: FlagSpec): ValueKind {
  if (flag.choices !== undefined) return { kind: 'choices', choices: flag.choices }
  return { kind: KINDS[flag.placeholder ?? ''] ?? 'anything' }
}
