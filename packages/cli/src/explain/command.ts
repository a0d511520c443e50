import type { Context } from '../context.types.ts'
import type { CommandSpec, FlagSpec } from '../grammar/command.types.ts'

/** How a request is described, for all who ask about one. */
const REQUEST_FLAGS: readonly FlagSpec[] = [
  { name: 'method', kind: 'text', placeholder: 'METHOD', summary: 'of the request (GET)' },
  { name: 'path', kind: 'text', placeholder: 'PATH', summary: 'of the request, with query (/)' },
  {
    name: 'host',
    kind: 'text',
    placeholder: 'HOST',
    summary: 'Host of the request, where it is another than what is dialled',
  },
  { name: 'header', kind: 'list', placeholder: 'NAME=VALUE', summary: 'of the request; repeatable' },
  {
    name: 'jwt',
    kind: 'text',
    placeholder: 'FILE|CLAIMS',
    summary: 'a token: a file with it or with its claims, or the claims as JSON',
  },
  { name: 'sni', kind: 'text', placeholder: 'NAME', summary: 'server name of the client’s own TLS' },
  { name: 'source-ip', kind: 'text', placeholder: 'ADDRESS', summary: 'the client’s address, instead of its pod’s' },
]

/** `ambit explain`. Loaded when it runs: it knows all that control plane and proxies know of policies. */
export const explainCommand: CommandSpec<Context> = {
  name: 'explain',
  summary: 'Say whether a connection or request is let through, by which policy, and why',
  details:
    'Asks the functions that decide in ztunnel and waypoint, about the objects of the cluster, of files, or of the cluster with the files applied; nothing is sent or changed. ' +
    'FROM is NAMESPACE/POD-OR-ACCOUNT, an address, spiffe://… or outside; TO is NAMESPACE/SERVICE-OR-POD[:PORT] or HOST[:PORT] as an application would dial it. ' +
    'pod:, sa: and service: before a name say which one is meant. Without --method, --path, --host, --header and --jwt a connection is asked about. ' +
    'Exit status: 0 allowed, 77 denied, 69 it does not arrive although no policy refuses it, 75 it depends on the endpoint or on what may not be read. docs/explain.md.',
  examples: [
    'ambit explain --from shop/client --to shop/web --method DELETE --path /orders/7',
    'ambit explain --from shop/client --to pod:shop/web-0:8080',
    'ambit explain -f manifests/ --from shop/client --to web --header x-team=blue',
    'ambit explain --last-denied --from shop/client',
    'ambit explain --connection 5f0c3e1b2a4d-17 -o json',
  ],
  flags: [
    { name: 'from', kind: 'text', placeholder: 'CLIENT', summary: 'who connects' },
    { name: 'to', kind: 'text', placeholder: 'TARGET', summary: 'what it connects to' },
    ...REQUEST_FLAGS,
    {
      name: 'filename',
      short: 'f',
      kind: 'list',
      placeholder: 'FILE|FOLDER',
      summary: 'objects of files instead of a cluster’s; - for stdin; repeatable',
    },
    { name: 'use-kube', short: 'k', kind: 'none', summary: 'with -f: the files laid over the cluster (false)' },
    {
      name: 'meshConfigFile',
      kind: 'text',
      placeholder: 'FILE',
      summary: 'the mesh’s settings, instead of the cluster’s',
    },
    {
      name: 'connection',
      kind: 'text',
      placeholder: 'ID',
      summary: 'a connection or request that proxies remember: its connection_id or request id',
    },
    { name: 'last-denied', kind: 'none', summary: 'what proxies denied last; with --from, of this client' },
    {
      name: 'output',
      short: 'o',
      kind: 'text',
      placeholder: 'FORMAT',
      choices: ['text', 'json'],
      summary: 'output format (text)',
    },
    { name: 'color', kind: 'none', summary: 'in colour (true on a terminal)' },
  ],
  run: async (invocation, context) => {
    const { runExplain } = await import('./run-explain.ts')
    return await runExplain(invocation, context)
  },
}
