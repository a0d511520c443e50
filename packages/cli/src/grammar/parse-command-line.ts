import { isNear } from '@ambit/core'
import { MAX_ARGUMENTS } from '../limits.ts'
import type { CommandSpec, FlagSpec, Flags, ParseVerdict } from './command.types.ts'
import { parseDuration } from './parse-duration.ts'

type FlagValues = Map<string, string[]>

/**
 * Understands a command line against the command tree. Flags may stand anywhere, as in istioctl: `--name value`,
 * `--name=value`, `-n value`, `-nvalue`, `-n=value`, `--yes=false`; `--` ends them. Never throws.
 */
export function parseCommandLine<Context>(
  root: CommandSpec<Context>,
  globals: readonly FlagSpec[],
  args: readonly string[],
): ParseVerdict<Context> {
  const path = [root.name]
  if (args.length > MAX_ARGUMENTS) {
    return { kind: 'usage', message: `more than ${MAX_ARGUMENTS} arguments`, path }
  }
  let command = root
  let known = [...globals, ...(root.flags ?? [])]
  const values: FlagValues = new Map()
  const positionals: string[] = []
  let help = false

  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? ''
    if (arg === '--') {
      positionals.push(...args.slice(at + 1))
      break
    }
    if (arg === '--help' || arg === '-h') {
      help = true
      continue
    }
    if (arg.startsWith('-') && arg !== '-') {
      const taken = takeFlag(known, arg, args[at + 1], command)
      if ('problem' in taken) {
        if (help) continue
        return { kind: 'usage', message: taken.problem, path }
      }
      if (taken.usedNext) at++
      const before = taken.flag.kind === 'list' ? (values.get(taken.flag.name) ?? []) : []
      values.set(taken.flag.name, [...before, taken.value])
      continue
    }
    const child = positionals.length === 0 ? findCommand(command, arg) : undefined
    if (child !== undefined) {
      command = child
      path.push(child.name)
      known = [...known, ...(child.flags ?? [])]
      if (child.notYet !== undefined) return { kind: 'not-yet', message: child.notYet, path }
      continue
    }
    if (command.run === undefined || (command.subcommands !== undefined && command.positional === undefined)) {
      return {
        kind: 'usage',
        message: `unknown command "${arg}" for "${path.join(' ')}"${suggestion(command, arg)}`,
        path,
      }
    }
    positionals.push(arg)
  }

  if (help || command.run === undefined) return { kind: 'help', command, path }
  const { min, max, name } = command.positional ?? { min: 0, max: 0, name: '' }
  if (positionals.length < min) return { kind: 'usage', message: `${path.join(' ')} needs ${name}`, path }
  if (positionals.length > max) return { kind: 'usage', message: `unexpected argument "${positionals[max]}"`, path }
  return { kind: 'run', command, path, invocation: { flags: flagsOf(values), positionals } }
}

/** The child of `command` called `name`, by name or alias. */
export function findCommand<Context>(command: CommandSpec<Context>, name: string): CommandSpec<Context> | undefined {
  return command.subcommands?.find((child) => child.name === name || child.aliases?.includes(name) === true)
}

type Taken =
  | { readonly flag: FlagSpec; readonly value: string; readonly usedNext: boolean }
  | { readonly problem: string }

function takeFlag<Context>(
  known: readonly FlagSpec[],
  arg: string,
  next: string | undefined,
  command: CommandSpec<Context>,
): Taken {
  const split = splitFlag(known, arg)
  if (split === undefined) {
    const name = arg.split('=', 1)[0] ?? ''
    return { problem: `unknown flag "${name}"${flagSuggestion(known, command, name)}` }
  }
  const { flag, inline } = split
  if (flag.kind === 'none') {
    if (inline === undefined || inline === 'true') return { flag, value: 'true', usedNext: false }
    if (inline === 'false') return { flag, value: 'false', usedNext: false }
    return { problem: `--${flag.name} is either true or false, not "${inline}"` }
  }
  const value = inline ?? next
  if (value === undefined) return { problem: `--${flag.name} needs a value` }
  const problem = problemOfValue(flag, value)
  return problem === undefined ? { flag, value, usedNext: inline === undefined } : { problem }
}

function splitFlag(
  known: readonly FlagSpec[],
  arg: string,
): { readonly flag: FlagSpec; readonly inline: string | undefined } | undefined {
  const equals = arg.indexOf('=')
  const name = equals < 0 ? arg : arg.slice(0, equals)
  const inline = equals < 0 ? undefined : arg.slice(equals + 1)
  if (arg.startsWith('--')) {
    const flag = known.find((spec) => `--${spec.name}` === name)
    return flag === undefined ? undefined : { flag, inline }
  }
  const exact = known.find((spec) => spec.short !== undefined && `-${spec.short}` === name)
  if (exact !== undefined) return { flag: exact, inline }
  // -nfoo: the value follows the letter directly.
  const glued = known.find(
    (spec) => spec.short !== undefined && spec.kind !== 'none' && arg.startsWith(`-${spec.short}`),
  )
  return glued === undefined ? undefined : { flag: glued, inline: arg.slice(2) }
}

function problemOfValue(flag: FlagSpec, value: string): string | undefined {
  if (flag.kind === 'count' && !/^\d{1,9}$/.test(value)) return `--${flag.name} needs a number, not "${value}"`
  if (flag.kind === 'duration' && parseDuration(value) === undefined) {
    return `--${flag.name} needs a duration such as 90s or 1m30s, not "${value}"`
  }
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    return `--${flag.name} is one of ${flag.choices.join(', ')}, not "${value}"`
  }
  return undefined
}

function flagsOf(values: FlagValues): Flags {
  const last = (name: string): string | undefined => values.get(name)?.at(-1)
  return {
    has: (name) => last(name) !== undefined && last(name) !== 'false',
    text: last,
    list: (name) => values.get(name) ?? [],
    count: (name) => {
      const text = last(name)
      return text === undefined ? undefined : Number(text)
    },
    duration: (name) => {
      const text = last(name)
      return text === undefined ? undefined : parseDuration(text)
    },
  }
}

function suggestion<Context>(command: CommandSpec<Context>, wrong: string): string {
  const names = command.subcommands?.map((child) => child.name) ?? []
  return didYouMean(names.find((name) => isNear(name, wrong)))
}

/** `--version` and its like are commands here. */
function flagSuggestion<Context>(known: readonly FlagSpec[], command: CommandSpec<Context>, wrong: string): string {
  if (!wrong.startsWith('--')) return ''
  const word = wrong.slice(2)
  if (findCommand(command, word) !== undefined) return didYouMean(word)
  const near = [...known.map((flag) => flag.name), 'help'].find((name) => isNear(name, word))
  return didYouMean(near === undefined ? undefined : `--${near}`)
}

function didYouMean(name: string | undefined): string {
  return name === undefined ? '' : `; did you mean "${name}"?`
}
