import type { ExitCode } from './exit-codes.ts'

/**
 * `none`: present or absent. `text`: one value, the last wins. `list`: repeatable. `count`: a non-negative integer.
 * `duration`: as Go writes it (90s, 1m30s); a bare number is seconds.
 */
export type FlagValueKind = 'none' | 'text' | 'list' | 'count' | 'duration'

export interface FlagSpec {
  readonly name: string
  readonly short?: string
  readonly kind: FlagValueKind
  readonly placeholder?: string
  readonly summary: string
  readonly choices?: readonly string[]
}

export interface PositionalSpec {
  readonly name: string
  readonly min: number
  readonly max: number
}

/** A node of the command tree: either a group with subcommands, or something to run. */
export interface CommandSpec<Context> {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly summary: string
  readonly details?: string
  readonly examples?: readonly string[]
  readonly positional?: PositionalSpec
  readonly flags?: readonly FlagSpec[]
  readonly subcommands?: readonly CommandSpec<Context>[]
  /** Present on commands istioctl has and this version does not; the text says what to use meanwhile. */
  readonly notYet?: string
  readonly run?: (invocation: Invocation, context: Context) => Promise<ExitCode>
}

export interface Invocation {
  readonly flags: Flags
  readonly positionals: readonly string[]
}

/** Decoded flags by long name. */
export interface Flags {
  has(name: string): boolean
  text(name: string): string | undefined
  list(name: string): readonly string[]
  count(name: string): number | undefined
  /** Milliseconds. */
  duration(name: string): number | undefined
}

export type ParseVerdict<Context> =
  | {
      readonly kind: 'run'
      readonly command: CommandSpec<Context>
      readonly path: readonly string[]
      readonly invocation: Invocation
    }
  | { readonly kind: 'help'; readonly command: CommandSpec<Context>; readonly path: readonly string[] }
  | { readonly kind: 'usage'; readonly message: string; readonly path: readonly string[] }
  | { readonly kind: 'not-yet'; readonly message: string; readonly path: readonly string[] }
