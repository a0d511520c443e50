import type { Context } from '../context.types.ts'
import { GLOBAL_FLAGS } from '../global-flags.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { flagLines } from '../grammar/help-text.ts'

/** `ambit options`. */
export function runOptions(context: Context): Promise<ExitCode> {
  context.out('The following options can be passed to any command:')
  for (const line of flagLines(GLOBAL_FLAGS)) context.out(`  ${line}`)
  return Promise.resolve(EXIT.ok)
}
