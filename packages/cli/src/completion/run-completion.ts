import type { Context } from '../context.types.ts'
import { GLOBAL_FLAGS } from '../global-flags.ts'
import type { CommandSpec } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { bashScript } from './bash-script.ts'
import { completionNodes } from './completion-nodes.ts'
import { zshScript } from './zsh-script.ts'

/** `ambit completion bash|zsh`. */
export function runCompletion(shell: 'bash' | 'zsh', root: CommandSpec<Context>, context: Context): Promise<ExitCode> {
  const nodes = completionNodes(root, GLOBAL_FLAGS)
  context.out((shell === 'bash' ? bashScript(nodes) : zshScript(nodes)).trimEnd())
  return Promise.resolve(EXIT.ok)
}
