import type { Topology } from '@ambit/dashboard'
import test from 'ava'
import { connection, denial } from '../../graph/test/support/flows.ts'
import { KubeCluster } from '../src/cluster/kube-cluster.ts'
import type { Context } from '../src/context.types.ts'
import { runCommandLine } from '../src/run-command-line.ts'
import { FlowCluster } from './support/flow-cluster.ts'

let cluster: FlowCluster

test.serial.before(async () => {
  cluster = await FlowCluster.start()
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

interface Running extends AsyncDisposable {
  readonly url: string
  /** What the browser was started with. */
  readonly launched: readonly string[]
  /** Reads the page's events until one fits. */
  until(fits: (topology: Topology) => boolean): Promise<Topology>
}

/** The command as somebody runs it, until the end of the test. */
async function run(...args: readonly string[]): Promise<Running> {
  const { KUBECONFIG: path } = await cluster.mesh.api.environment()
  const printed = Promise.withResolvers<string>()
  const interrupted = Promise.withResolvers<void>()
  const launched: string[] = []
  const context: Partial<Context> = {
    out: printed.resolve,
    err: () => undefined,
    version: '9.9.9',
    now: Date.now,
    interrupted: () => interrupted.promise,
    cluster: () => Promise.resolve(KubeCluster.fromKubeConfig({ path })),
    openBrowser: async (url) => void (await Promise.resolve(launched.push(url))),
  }
  const ended = runCommandLine(['dashboard', ...args], context as Context)
  const url = await Promise.race([printed.promise, ended.then((code) => `ended with ${code}`)])
  return {
    url,
    launched,
    async until(fits) {
      const response = await fetch(new URL('events', url))
      let text = ''
      for await (const part of response.body ?? []) {
        text += Buffer.from(part).toString('utf8')
        for (const [, json = ''] of text.matchAll(/^event: topology\ndata: (.*)\n\n/gm)) {
          const topology = JSON.parse(json) as Topology
          if (fits(topology)) return topology
        }
        text = text.slice(Math.max(0, text.lastIndexOf('\n\n')))
      }
      throw new Error(`the stream ended: ${response.status}`)
    },
    async [Symbol.asyncDispose]() {
      interrupted.resolve()
      await ended
    },
  }
}

const names = ({ edges }: Topology): readonly string[] => edges.map(({ id }) => id)

test.serial('what proxies tell is on the page, and what is missing until it is there again', async (t) => {
  const [client, server] = await Promise.all([cluster.ztunnel('ztunnel-1'), cluster.ztunnel('ztunnel-2')])
  await using running = await run('--no-browser')
  t.regex(running.url, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/)
  t.deepEqual(running.launched, [])
  t.deepEqual(names(await running.until(({ health }) => health.proxies === 2)), [])
  const [source, destination] = connection({ bytesFromClient: 10 })
  client.open(source)
  server.open(destination)
  const [, refused] = denial('policy-denied')
  server.journal.ended({ ...refused, at: new Date().toISOString() })
  const shown = await running.until(({ edges }) => edges.some(({ deniedLately }) => deniedLately === 1))
  t.deepEqual(names(shown), ['workload:shop/web>service:shop/db.shop.svc.cluster.local'])
  t.is(shown.edges[0]?.security.level, 'mtls-post-quantum')

  await cluster.pod('istio-system', 'ztunnel-9', { app: 'ztunnel' }, ['proxy', 'ztunnel'])
  const missing = await running.until(({ health }) => health.problems.length > 0)
  t.regex(missing.health.problems.join(), /^istio-system\/ztunnel-9: /)
  client.breakOff()
  client.open({ ...source, id: 's-9', server: { address: '1.2.3.4:443' }, service: undefined })
  const again = await running.until(({ edges, health }) => edges.length === 2 && health.proxies === 2)
  t.is(again.health.problems.length, 1)
  await cluster.mesh.must('delete', 'pod', '-n', 'istio-system', 'ztunnel-9', '--force', '--grace-period=0')
  const whole = await running.until(({ health }) => health.problems.length === 0)
  t.is(whole.health.proxies, 2)
})

test.serial('questions are answered from the cluster; a name that is none is said', async (t) => {
  await using running = await run('--browser=false')
  const ask = async (to: object): Promise<unknown> => {
    const question = JSON.stringify({ from: { kind: 'outside' }, to })
    return await (await fetch(new URL(`explain?question=${encodeURIComponent(question)}`, running.url))).json()
  }
  t.regex(
    JSON.stringify(await ask({ kind: 'service', namespace: 'shop', name: 'nothing' })),
    /^\{"error":"there is no service shop\/nothing/,
  )
  const service = { spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } }
  const metadata = { namespace: 'shop', name: 'web' }
  const { client } = cluster.mesh.api.api
  await client.create(
    { group: '', version: 'v1', resource: 'services' },
    { apiVersion: 'v1', kind: 'Service', metadata, ...service },
  )
  const answers = async (): Promise<unknown> => await ask({ kind: 'service', namespace: 'shop', name: 'web' })
  let answer = await answers()
  while (typeof answer === 'object' && answer !== null && 'error' in answer) answer = await answers()
  t.like(answer, { format: 'ambit.explanation/v1' })
})

test.serial('the browser is started with an address that works once and is not the page’s', async (t) => {
  await using running = await run()
  const [launched = ''] = running.launched
  t.false(launched.includes(new URL(running.url).pathname))
  const response = await fetch(launched)
  t.is(response.url, running.url)
  t.regex(await response.text(), /<title>Ambit dashboard/)
  t.is((await fetch(launched)).status, 403)
})

test.serial('what can’t work is said at once', async (t) => {
  const { mesh } = cluster
  const port = await cluster.answering(200)
  const taken = await mesh.ambit(`dashboard --no-browser --port ${port}`)
  t.is(taken.code, 1)
  t.regex(taken.err.join('\n'), new RegExp(`can't listen on 127\\.0\\.0\\.1:${port}.*--port 0`))
  t.is((await mesh.ambit('dashboard --port 70000')).code, 2)
  t.regex((await mesh.ambit('dashboard grafana')).err.join(), /Instead: kubectl port-forward/)
  t.regex((await mesh.ambit('dashboard nonsense')).err.join(), /unknown command "nonsense" for "ambit dashboard"/)
})
