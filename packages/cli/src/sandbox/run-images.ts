import type { Context } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { textTable } from '../text-table.ts'

/** `ambit sandbox load IMAGE=COMMAND`: pods that wait for the image start at once, running ones keep what they have. */
export async function runSandboxLoad(flags: Flags, texts: readonly string[], context: Context): Promise<ExitCode> {
  const operations = await context.sandbox()
  for (const text of texts) {
    const { name, command } = operations.load(text, flags.text('name'))
    context.out(`Image ${name} is: ${command.join(' ')}`)
  }
  return EXIT.ok
}

/** `ambit sandbox images`. */
export async function runSandboxImages(flags: Flags, context: Context): Promise<ExitCode> {
  const images = (await context.sandbox()).images(flags.text('name'))
  const rows = images.map(({ command, name }) => [name, command?.join(' ') ?? '(built in)'])
  for (const line of textTable([['IMAGE', 'PROGRAM'], ...rows], 3)) context.out(line)
  return EXIT.ok
}
