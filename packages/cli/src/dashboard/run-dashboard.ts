import { setTimeout as delay } from 'node:timers/promises'
import { abortable, ip, silentLogger, systemClock } from '@ambit/core'
import { DashboardServer, LiveFeed, readPageFiles } from '@ambit/dashboard'
import { FlowGraph } from '@ambit/graph'
import type { Cluster } from '../cluster/cluster.types.ts'
import { type Context, istioNamespace } from '../context.types.ts'
import { SettingError } from '../errors.ts'
import { followFlows } from '../flows/follow-flows.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { CLUSTER_ANSWER_MS, CLUSTER_POLL_MS } from '../limits.ts'
import { MeshAnswers } from './mesh-answers.ts'

const LOOPBACK = ip('127.0.0.1')
const MAX_PORT = 65_535

export async function runDashboard({ flags }: Invocation, context: Context): Promise<ExitCode> {
  const port = flags.count('port') ?? 0
  if (port > MAX_PORT) throw new SettingError(`--port ${port} is no port; the highest is ${MAX_PORT}`)
  const cluster = await context.cluster(flags)
  // Who can't be asked at all is said here, and not on a page.
  await cluster.serverVersion()

  const namespace = flags.text('namespace')
  const answers = new MeshAnswers(cluster, {
    namespace: namespace ?? cluster.currentNamespace,
    istioNamespace: istioNamespace(flags),
    now: context.now,
  })
  await using feed = new LiveFeed(
    {
      graph: new FlowGraph(),
      clock: systemClock,
      explain: (question) => answers.explain(question),
    },
    {
      version: context.version,
      context: cluster.currentContext ?? 'cluster',
      ...(namespace === undefined ? {} : { namespace }),
    },
  )
  await using server = new DashboardServer({
    feed,
    files: readPageFiles(),
    clock: systemClock,
    logger: silentLogger,
  })
  const url = await server.listen({ ip: LOOPBACK, port })
  context.out(url)
  if (opensBrowser(flags)) await context.openBrowser?.(server.launchUrl())
  context.err('Ctrl-C ends it.')

  const end = new AbortController()
  const watching = Promise.all([follow(cluster, feed, flags, end.signal), watchCluster(cluster, feed, end.signal)])
  try {
    await Promise.race([context.interrupted(end.signal), watching])
  } finally {
    end.abort()
    await watching.catch(() => undefined)
  }
  return EXIT.ok
}

function opensBrowser(flags: Flags): boolean {
  return !flags.has('no-browser') && flags.text('browser') !== 'false'
}

async function follow(cluster: Cluster, feed: LiveFeed, flags: Flags, signal: AbortSignal): Promise<void> {
  const namespace = flags.text('namespace')
  const updates = followFlows(cluster, {
    watch: true,
    signal,
    states: feed,
    istioNamespace: istioNamespace(flags),
    ...(namespace === undefined ? {} : { namespaces: [namespace] }),
  })
  for await (const update of updates) {
    if ('flow' in update) feed.take(update.flow)
    else if (update.pod !== undefined && update.isGone !== true && !signal.aborted) feed.missing(update.gap, update.pod)
  }
}

/** Asks the API server for something small, all the time: proxies may go on being quiet for other reasons. */
async function watchCluster(cluster: Cluster, feed: LiveFeed, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await delay(CLUSTER_POLL_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    try {
      await abortable(cluster.serverVersion(), AbortSignal.any([signal, AbortSignal.timeout(CLUSTER_ANSWER_MS)]))
      feed.tellCluster(undefined)
    } catch (error) {
      if (!signal.aborted) feed.tellCluster(error)
    }
  }
}
