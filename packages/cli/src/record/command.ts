import type { Context } from '../context.types.ts'
import type { CommandSpec } from '../grammar/command.types.ts'

/** `ambit record`. Loaded when it runs. */
export const recordCommand: CommandSpec<Context> = {
  name: 'record',
  summary: 'Record who speaks to whom, for ambit diff to ask what a change of policies would do to it',
  details:
    'Counts connections and requests that policies can not tell apart: identities, destination, method, template of the path, host, verdict; ' +
    'no bodies, and of headers and claims only what policies in force read. Without --for it goes on until Ctrl-C. ' +
    'The file is replaced as a whole, every few seconds: what was recorded is never lost. Its format is in docs/diff.md.',
  examples: ['ambit record --for 10m -o flows.jsonl', 'ambit record -n shop --count 1000'],
  flags: [
    { name: 'for', kind: 'duration', placeholder: 'DURATION', summary: 'how long (until Ctrl-C)' },
    { name: 'count', kind: 'count', placeholder: 'N', summary: 'end when N connections and requests are recorded' },
    { name: 'output', short: 'o', kind: 'text', placeholder: 'FILE', summary: 'where to (flows.jsonl)' },
  ],
  run: async (invocation, context) => {
    const { runRecord } = await import('./run-record.ts')
    return await runRecord(invocation, context)
  },
}
