import type { CommandSpec, FlagSpec } from './command.types.ts'

const EXIT_STATUS =
  'Exit status: 0 done, 1 failed, 2 the command line was not understood or names something this version does not have.'

/** The text of `--help` for one command. */
export function helpText<Context>(
  command: CommandSpec<Context>,
  path: readonly string[],
  globals: readonly FlagSpec[],
): string {
  const sections = [command.details === undefined ? command.summary : `${command.summary}\n\n${command.details}`]
  const line = [...path]
  if (command.run === undefined) line.push('<command>')
  if (command.positional !== undefined) line.push(positionalText(command.positional))
  sections.push(`Usage:\n  ${line.join(' ')} [flags]`)
  if (command.aliases !== undefined) sections.push(`Aliases:\n  ${[command.name, ...command.aliases].join(', ')}`)
  if (command.examples !== undefined) sections.push(`Examples:\n${indent(command.examples)}`)
  const served = command.subcommands?.filter((child) => child.notYet === undefined) ?? []
  if (served.length > 0) {
    sections.push(`Commands:\n${indent(columns(served.map((child) => [child.name, child.summary])))}`)
  }
  const later = command.subcommands?.filter((child) => child.notYet !== undefined) ?? []
  if (later.length > 0) sections.push(`Not in this version yet:\n  ${later.map((child) => child.name).join(', ')}`)
  if ((command.flags?.length ?? 0) > 0) sections.push(`Flags:\n${indent(flagLines(command.flags ?? []))}`)
  sections.push(`Global flags:\n${indent(flagLines(globals))}`)
  sections.push(EXIT_STATUS)
  return `${sections.join('\n\n')}\n`
}

function positionalText(positional: { readonly name: string; readonly min: number }): string {
  return positional.min > 0 ? positional.name : `[${positional.name}]`
}

/** The lines that explain `flags`. */
export function flagLines(flags: readonly FlagSpec[]): readonly string[] {
  return columns(
    flags.map((flag) => {
      const short = flag.short === undefined ? '    ' : `-${flag.short}, `
      const value = flag.kind === 'none' ? '' : ` ${flag.placeholder ?? 'VALUE'}`
      const choices = flag.choices === undefined ? '' : ` (${flag.choices.join('|')})`
      return [`${short}--${flag.name}${value}`, `${flag.summary}${choices}`]
    }),
  )
}

function columns(rows: readonly (readonly [string, string] | readonly string[])[]): readonly string[] {
  const width = Math.max(...rows.map((row) => row[0]?.length ?? 0))
  return rows.map((row) => `${(row[0] ?? '').padEnd(width)}   ${row[1] ?? ''}`)
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join('\n')
}
