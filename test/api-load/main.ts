// `npm run api-load [-- --objects N] [-- --watches N] [-- --data]`: the API server under many objects and watches.
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { Agent, request } from 'node:https'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { align } from '../latency/report.ts'
import type { FromServer } from './server.ts'

/** Longest pause of the event loop that a person or a kubelet wouldn't notice, ms. */
const GOAL_MS = 50
const PAGE = 500
const WRITERS = 16

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '10000' },
    watches: { type: 'string', default: '100' },
    data: { type: 'boolean', default: false },
  },
})
const objects = Number(values.objects)
const watches = Number(values.watches)
const token = randomBytes(16).toString('hex')
const folder = mkdtempSync(join(tmpdir(), 'ambit-api-load-'))
const child = fork(join(import.meta.dirname, 'server.ts'), [token, ...(values.data ? [folder] : [])], {
  execArgv: ['--disable-warning=ExperimentalWarning'],
})
const [ready] = (await once(child, 'message')) as [FromServer]
if (ready.type !== 'ready') throw new Error('the server did not start')
const agent = new Agent({ keepAlive: true, maxSockets: WRITERS })
const base = { host: '127.0.0.1', port: ready.port, ca: ready.caPem, headers: { authorization: `Bearer ${token}` } }

async function send(method: string, path: string, body?: unknown, own = false): Promise<IncomingMessage> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    ...base.headers,
    ...(text === undefined
      ? {}
      : { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
  }
  const call = request({ ...base, method, path, headers, agent: own ? false : agent })
  call.end(text)
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const status = response.statusCode ?? 0
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${STATUS_CODES[status]}`)
  return response
}

async function call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  return (await json(await send(method, path, body))) as Record<string, unknown>
}

const rows: string[][] = []
async function measured(name: string, count: number, unit: string, work: () => Promise<unknown>): Promise<void> {
  await pauses()
  const startedMs = performance.now()
  await work()
  const tookMs = performance.now() - startedMs
  const { longestMs, busyMs, cpuMs, rssMb } = await pauses()
  const rate = `${Math.round((count / tookMs) * 1000)} ${unit}/s`
  rows.push([
    name,
    `${(tookMs / 1000).toFixed(2)} s`,
    rate,
    `${longestMs.toFixed(0)} ms`,
    `${busyMs.toFixed(0)} ms`,
    `${(cpuMs / 1000).toFixed(2)} s`,
    `${rssMb.toFixed(0)} MiB`,
  ])
  process.stderr.write(`  ${name}: ${tookMs.toFixed(0)} ms, pause ${longestMs.toFixed(0)} ms\n`)
  if (busyMs > GOAL_MS) process.exitCode = 1
}

async function pauses(): Promise<Extract<FromServer, { type: 'pauses' }>> {
  child.send('pauses')
  const [answer] = (await once(child, 'message')) as [FromServer]
  if (answer.type !== 'pauses') throw new Error('unexpected message')
  return answer
}

const configMap = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels: { app: 'load', tier: 'backend', version: 'v1' } },
  data: { value, text: 'x'.repeat(800) },
})
const COLLECTION = '/api/v1/namespaces/default/configmaps'

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: WRITERS }, worker))
}

let seen = 0
/** A watch as a client has it: its own connection, its events counted by lines. */
async function watch(resourceVersion: string): Promise<void> {
  const path = `${COLLECTION}?watch=true&resourceVersion=${resourceVersion}&allowWatchBookmarks=true`
  const response = await send('GET', path, undefined, true)
  response.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) seen++
  })
  response.on('error', () => undefined)
}

async function allSeen(expected: number): Promise<void> {
  while (seen < expected) await new Promise((resolve) => setTimeout(resolve, 5))
}

try {
  // Code is compiled and connections are made before anything counts.
  await inParallel(500, (n) => call('POST', COLLECTION, configMap(`warm-${n}`, '0')))
  await call('DELETE', COLLECTION)
  await measured(`create ${objects} objects`, objects, 'writes', () =>
    inParallel(objects, (n) => call('POST', COLLECTION, configMap(`load-${n}`, '0'))),
  )
  await measured(`list all in pages of ${PAGE}`, objects, 'objects', async () => {
    let token = ''
    do {
      const page = await call('GET', `${COLLECTION}?limit=${PAGE}${token === '' ? '' : `&continue=${token}`}`)
      token = (page['metadata'] as { continue?: string }).continue ?? ''
    } while (token !== '')
  })
  await measured('list all at once', objects, 'objects', () => call('GET', COLLECTION))
  await measured('10 lists by label, none matching', 10, 'lists', () =>
    inParallel(10, () => call('GET', `${COLLECTION}?labelSelector=app%3Dnone`)),
  )
  const list = await call('GET', `${COLLECTION}?limit=1`)
  const { resourceVersion } = list['metadata'] as { resourceVersion: string }
  await measured(`open ${watches} watches`, watches, 'watches', () =>
    Promise.all(Array.from({ length: watches }, () => watch(resourceVersion))),
  )
  const changes = 2000
  seen = 0
  await measured(`${changes} changes seen by ${watches} watches`, changes * watches, 'events', async () => {
    await inParallel(changes, (n) => call('PATCH', `${COLLECTION}/load-${n}`, { data: { value: '1' } }))
    await allSeen(changes * watches)
  })
  // A client that can't read as fast is cut off and lists again, as it would be by Kubernetes: only the server counts here.
  await measured(`delete ${objects} objects under ${watches} watches`, objects, 'deletions', () =>
    call('DELETE', `${COLLECTION}?labelSelector=app%3Dload`),
  )
} finally {
  child.kill('SIGKILL')
  agent.destroy()
  rmSync(folder, { recursive: true, force: true })
}
const head = ['step', 'took', 'rate', 'longest pause', 'of it CPU', 'CPU', 'memory']
process.stdout.write(
  `${align([head, ...rows])}\nload ${loadavg()[0]?.toFixed(1)}; a pause should stay below ${GOAL_MS} ms of CPU\n`,
)
process.exit()
