import type { Context } from '../context.types.ts'
import type { CommandSpec } from '../grammar/command.types.ts'

/** Pages of istioctl that this mesh does not bring along. */
function elsewhere(name: string, instead: string): CommandSpec<Context> {
  return { name, summary: '', notYet: `this version does not have it. Instead: ${instead}` }
}

const ADDONS = ['prometheus', 'grafana', 'jaeger', 'zipkin', 'skywalking'] as const

/** `ambit dashboard`. Loaded when it runs: it knows all that `explain` knows. */
export const dashboardCommand: CommandSpec<Context> = {
  name: 'dashboard',
  aliases: ['dash', 'd'],
  summary: 'Show who talks to whom now, how it is protected and why it is refused, on a page in the browser',
  details:
    'The page is served on this machine until Ctrl-C, to whoever has its address. It reads the cluster and changes nothing in it. ' +
    'With -n, only what this namespace sends and receives.',
  examples: ['ambit dashboard', 'ambit dashboard -n shop', 'ambit dashboard --port 8090 --no-browser'],
  flags: [
    {
      name: 'port',
      short: 'p',
      kind: 'count',
      placeholder: 'PORT',
      summary: 'port on this machine; 0 is any free one (0)',
    },
    { name: 'browser', kind: 'none', summary: 'open a browser (true)' },
    { name: 'no-browser', kind: 'none', summary: 'print the address only' },
  ],
  subcommands: [
    elsewhere('kiali', 'ambit dashboard, which needs nothing installed'),
    ...ADDONS.map((name) => elsewhere(name, `kubectl port-forward to the service of your ${name}`)),
    elsewhere('controlz', 'kubectl port-forward to port 15014 of istiod'),
    elsewhere('istiod-debug', 'kubectl port-forward to port 15014 of istiod, /debug'),
    elsewhere('envoy', 'ambit ztunnel-config; there is no Envoy in this mesh'),
    elsewhere('proxy', 'ambit ztunnel-config'),
  ],
  run: async (invocation, context) => {
    const { runDashboard } = await import('./run-dashboard.ts')
    return await runDashboard(invocation, context)
  },
}
