import { messageOf } from '@ambit/core'
import { decodeFlowLine, FLOW_HEARTBEAT_MS } from '@ambit/flow'
import type { Cluster } from '../cluster/cluster.types.ts'
import { FLOW_RETRY_MAX_MS, FLOW_RETRY_MS } from '../limits.ts'
import { printable } from '../text-table.ts'
import type { FlowProxy } from './flow-proxies.ts'
import type { FlowUpdate } from './follow-flows.types.ts'
import { linesOf } from './lines-of.ts'

const ADMIN_PORT = 15000
const HTTP_NOT_FOUND = 404
const HTTP_OK = 200
/** Heartbeats that may fail to come before a proxy counts as lost. */
const MISSED_HEARTBEATS = 3

export interface FollowProxyOptions {
  readonly watch: boolean
  /** Of `GET /flows`, without `watch`. */
  readonly query: URLSearchParams
  /** Told whenever it answers. */
  readonly reached?: ((pod: string) => void) | undefined
  readonly signal: AbortSignal
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/** What one proxy tells; while watching it is asked again whenever its connection ends. */
export async function* followProxy(
  cluster: Pick<Cluster, 'follow'>,
  proxy: FlowProxy,
  options: FollowProxyOptions,
): AsyncGenerator<FlowUpdate> {
  const { signal, watch, sleep } = options
  const pod = `${proxy.namespace}/${proxy.pod}`
  let waitMs = FLOW_RETRY_MS
  let told = ''
  while (!signal.aborted) {
    let reason: string | undefined
    try {
      for await (const update of once(cluster, proxy, options)) {
        waitMs = FLOW_RETRY_MS
        told = ''
        yield update
      }
      if (!watch) return
      reason = 'it ended the stream'
    } catch (error) {
      reason = printable(messageOf(error))
      if (error instanceof NoFlows) {
        yield { gap: `${pod}: ${reason}`, pod }
        return
      }
    }
    if (signal.aborted) return
    if (reason !== told) yield { gap: `${pod}: ${reason}`, pod }
    told = reason
    if (!watch) return
    await sleep(waitMs, signal).catch(() => undefined)
    waitMs = Math.min(2 * waitMs, FLOW_RETRY_MAX_MS)
  }
}

/** It never will. */
class NoFlows extends Error {}

async function* once(
  cluster: Pick<Cluster, 'follow'>,
  { namespace, pod }: FlowProxy,
  { watch, query, signal, reached }: FollowProxyOptions,
): AsyncGenerator<FlowUpdate> {
  const asked = new URLSearchParams(query)
  asked.set('watch', String(watch))
  const silence = new Silence()
  const path = `/flows?${asked.toString()}`
  const over = AbortSignal.any([signal, silence.signal])
  try {
    const { status, body } = await cluster.follow({ namespace, pod, port: ADMIN_PORT, path }, over)
    if (status === HTTP_NOT_FOUND) throw new NoFlows('does not tell flows: it is not Ambit’s, or of an older version')
    if (status !== HTTP_OK) throw new Error(`/flows answered ${status}`)
    reached?.(`${namespace}/${pod}`)
    for await (const line of linesOf(body)) {
      silence.broken()
      if (line === '') continue
      const read = decodeFlowLine(line)
      if ('flow' in read) yield read
      else
        yield {
          gap: `${namespace}/${pod}: ${read.lost} lines were lost; it told more than was read`,
          pod: `${namespace}/${pod}`,
        }
    }
  } catch (error) {
    throw silence.signal.aborted ? new Error('it has gone silent', { cause: error }) : error
  } finally {
    silence[Symbol.dispose]()
  }
}

/** Aborts when a proxy has not been heard of for some heartbeats. */
class Silence implements Disposable {
  readonly #abort = new AbortController()
  readonly #timer = setTimeout(() => this.#abort.abort(), MISSED_HEARTBEATS * FLOW_HEARTBEAT_MS)

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  broken(): void {
    this.#timer.refresh()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
