import type { Context } from '../context.types.ts'
import type { CommandSpec, FlagSpec } from '../grammar/command.types.ts'

const SELECTION: readonly FlagSpec[] = [
  { name: 'workload', kind: 'text', placeholder: 'NAME', summary: 'only of this workload or pod, NAME or NS/NAME' },
  { name: 'service', kind: 'text', placeholder: 'NAME', summary: 'only to this service, NAME, NS/NAME or its host' },
  {
    name: 'state',
    kind: 'list',
    placeholder: 'STATE',
    choices: ['open', 'closed', 'denied', 'failed'],
    summary: 'only what is in this state; repeatable',
  },
  {
    name: 'since',
    kind: 'duration',
    placeholder: 'DURATION',
    summary: 'denials and failures from so long ago on (10m); proxies remember the last thousand of each',
  },
]

const COMPLETENESS = 'Exit status 75: some proxies could not be asked; what is missing is on stderr.'

/** `ambit connections`. Loaded when it runs, as `graph`. */
export const connectionsCommand: CommandSpec<Context> = {
  name: 'connections',
  aliases: ['conns'],
  summary: 'Who talks to whom now, as all node proxies, waypoints and gateways tell it',
  details:
    'One line for each client and what it talks to: connections open now, and what was denied or failed lately. Requests are counted ' +
    'while somebody looks, with --for or -w.\n' +
    COMPLETENESS,
  examples: [
    'ambit connections -n shop',
    'ambit connections -w',
    'ambit connections --state denied --since 1h',
    'ambit connections -n shop -w -o ndjson > flows.jsonl',
  ],
  flags: [
    { name: 'watch', short: 'w', kind: 'none', summary: 'go on; on a terminal the table is drawn anew' },
    { name: 'for', kind: 'duration', placeholder: 'DURATION', summary: 'look for so long before it is shown (0s)' },
    {
      name: 'output',
      short: 'o',
      kind: 'text',
      placeholder: 'FORMAT',
      choices: ['short', 'json', 'ndjson'],
      summary: 'short; json: the table with all that is known; ndjson: each flow as its proxy tells it',
    },
    ...SELECTION,
  ],
  run: async (invocation, context) => {
    const { runConnections } = await import('./run-connections.ts')
    return await runConnections(invocation, context)
  },
}

/** `ambit graph`. */
export const graphCommand: CommandSpec<Context> = {
  name: 'graph',
  summary: 'Who talks to whom, as a picture',
  details: `Looks for a while, and draws what it saw. ${COMPLETENESS}`,
  examples: [
    'ambit graph -n shop',
    'ambit graph --for 30s -o mermaid > shop.mmd',
    'ambit graph -o dot | dot -Tsvg > mesh.svg',
    'ambit graph -w -o json',
  ],
  flags: [
    { name: 'for', kind: 'duration', placeholder: 'DURATION', summary: 'how long to look (5s)' },
    { name: 'watch', short: 'w', kind: 'none', summary: 'go on; a picture each second' },
    {
      name: 'output',
      short: 'o',
      kind: 'text',
      placeholder: 'FORMAT',
      choices: ['short', 'dot', 'json', 'mermaid'],
      summary: 'short; dot: for Graphviz; json: with -w one line each; mermaid: as GitHub shows it',
    },
    ...SELECTION,
  ],
  run: async (invocation, context) => {
    const { runGraph } = await import('./run-graph.ts')
    return await runGraph(invocation, context)
  },
}
