import type { Context } from '../context.types.ts'
import type { CommandSpec } from '../grammar/command.types.ts'

/** `ambit diff`. Loaded when it runs: it knows all that the control plane and its proxies know. */
export const diffCommand: CommandSpec<Context> = {
  name: 'diff',
  summary: 'Say what a change of policies lets in and keeps out, before it is applied',
  details:
    'The objects of -f are laid over those of the cluster, or of a folder, and both are asked as the proxies would be: about every kind of ' +
    'request that the policies tell apart, and about recorded flows. Exit status: 0 nothing changes, 80 something does, 75 none was found but not all could be looked at, 65 a file could not be read.',
  examples: [
    'ambit diff -f new-policies/',
    'ambit diff -f policy.yaml --flows flows.jsonl --fail-on denied',
    'ambit diff --against deployed/ -f new/ --prune -o markdown',
    'ambit diff --delete AuthorizationPolicy/shop/readers',
  ],
  flags: [
    {
      name: 'filename',
      short: 'f',
      kind: 'list',
      placeholder: 'FILE',
      summary: 'file or folder of what is new; repeatable',
    },
    { name: 'delete', kind: 'list', placeholder: 'KIND/NS/NAME', summary: 'an object that goes; repeatable' },
    { name: 'prune', kind: 'none', summary: 'policies that are not in -f go (of -n only, where it is given)' },
    { name: 'against', kind: 'text', placeholder: 'DIR', summary: 'what is now is in DIR (the cluster)' },
    { name: 'flows', kind: 'text', placeholder: 'FILE', summary: 'flows of ambit record to ask about as well' },
    {
      name: 'output',
      short: 'o',
      kind: 'text',
      placeholder: 'FORMAT',
      choices: ['text', 'json', 'markdown'],
      summary: 'output format (text)',
    },
    {
      name: 'fail-on',
      kind: 'text',
      placeholder: 'CHANGE',
      choices: ['denied', 'allowed', 'any'],
      summary: 'the exit status is 80 for this only (any)',
    },
  ],
  run: async (invocation, context) => {
    const { runDiff } = await import('./run-diff.ts')
    return await runDiff(invocation, context)
  },
}
