import { AmbitError, messageOf } from '@ambit/core'
import { COMMAND_TREE } from './command-tree.ts'
import type { Context } from './context.types.ts'
import { SettingError } from './errors.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { EXIT, type ExitCode } from './grammar/exit-codes.ts'
import { helpText } from './grammar/help-text.ts'
import { parseCommandLine } from './grammar/parse-command-line.ts'

/** Runs one command line and says how it went. Failures become one message on stderr, never a stack trace. */
export async function runCommandLine(args: readonly string[], context: Context): Promise<ExitCode> {
  const [first, ...rest] = args
  const verdict = parseCommandLine(COMMAND_TREE, GLOBAL_FLAGS, first === 'help' ? [...rest, '--help'] : args)
  if (verdict.kind === 'help') {
    context.out(helpText(verdict.command, verdict.path, GLOBAL_FLAGS).trimEnd())
    return EXIT.ok
  }
  if (verdict.kind === 'usage') {
    context.err(`Error: ${verdict.message}\nSee: ${verdict.path.join(' ')} --help`)
    return EXIT.usage
  }
  if (verdict.kind === 'not-yet') {
    context.err(`Error: ${verdict.path.join(' ')}: ${verdict.message}`)
    return EXIT.usage
  }
  try {
    if (verdict.command.run === undefined) return EXIT.usage
    return await verdict.command.run(verdict.invocation, context)
  } catch (error) {
    context.err(`Error: ${messageOf(error)}${causeOf(error)}`)
    return error instanceof SettingError ? EXIT.usage : EXIT.failure
  }
}

/** The innermost cause of an error that is not ours, which is usually the system's reason. */
function causeOf(error: unknown): string {
  if (error instanceof AmbitError) return ''
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error ? ` (${cause.message})` : ''
}
