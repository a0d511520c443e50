import type { Context } from '../context.types.ts'
import type { CommandSpec } from '../grammar/command.types.ts'

/** `ambit analyze`. Loaded when it runs: it knows all that the control plane knows of configuration. */
export const analyzeCommand: CommandSpec<Context> = {
  name: 'analyze',
  summary: 'Find mistakes in the configuration of the cluster, of files, or of the cluster with the files applied',
  details:
    'Codes are those of https://istio.io/latest/docs/reference/config/analysis; which are found is in docs/analyze.md. ' +
    'A FILE may be a folder, or - for stdin. Exit status: 79 what was found is at least as bad as --failure-threshold, 65 a file could not be read.',
  examples: [
    'ambit analyze -n shop',
    'ambit analyze -A --failure-threshold Warning',
    'ambit analyze --use-kube=false manifests/',
    'ambit analyze -S "IST0102=Namespace shop" -S "IST0118=Service *.shop"',
  ],
  positional: { name: 'FILE...', min: 0, max: 1000 },
  flags: [
    { name: 'all-namespaces', short: 'A', kind: 'none', summary: 'of all namespaces' },
    { name: 'use-kube', short: 'k', kind: 'none', summary: 'look into the cluster (true); =false for files only' },
    { name: 'recursive', short: 'R', kind: 'none', summary: 'folders are always read with all in them' },
    {
      name: 'output',
      short: 'o',
      kind: 'text',
      placeholder: 'FORMAT',
      choices: ['log', 'json', 'yaml'],
      summary: 'output format (log)',
    },
    {
      name: 'failure-threshold',
      kind: 'text',
      placeholder: 'LEVEL',
      summary: 'level from which the exit status is 79: Info, Warning, Error (Error)',
    },
    {
      name: 'output-threshold',
      kind: 'text',
      placeholder: 'LEVEL',
      summary: 'level from which messages are shown (Info)',
    },
    {
      name: 'suppress',
      short: 'S',
      kind: 'list',
      placeholder: 'CODE=RESOURCE',
      summary: 'not this code of this object, "Kind name.namespace"; * stands for anything; repeatable',
    },
    { name: 'list-analyzers', short: 'L', kind: 'none', summary: 'list what is looked for, and do nothing' },
    { name: 'analyzer', kind: 'list', placeholder: 'NAME', summary: 'only this analyzer; repeatable' },
    { name: 'ignore-unknown', kind: 'none', summary: 'say nothing of documents that are no Kubernetes objects' },
    {
      name: 'meshConfigFile',
      kind: 'text',
      placeholder: 'FILE',
      summary: 'the mesh’s settings, instead of the cluster’s',
    },
    {
      name: 'revision',
      short: 'r',
      kind: 'text',
      placeholder: 'NAME',
      summary: 'as the control plane of this revision',
    },
    { name: 'color', kind: 'none', summary: 'levels in colour (true on a terminal)' },
    { name: 'verbose', short: 'v', kind: 'none', summary: 'tell what was looked at' },
  ],
  run: async (invocation, context) => {
    const { runAnalyze } = await import('./run-analyze.ts')
    return await runAnalyze(invocation, context)
  },
}
