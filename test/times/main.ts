// `npm run times [-- --rounds N] [-- --json FILE]`: how long a person waits for a cluster, the mesh, Bookinfo, many pods.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type RunningSandbox, sandboxDown, sandboxUp } from '@ambit/sandbox'
import { align, quantile } from '../latency/report.ts'
import { bookstoreManifest } from '../support/bookstore.ts'
import { runCommand } from '../support/command.ts'

/** Goals for an idle machine of two cores, s. */
const GOALS = {
  'API answers': 0.5,
  'cluster is ready': 3,
  'mesh is installed': 10,
  'Bookinfo is ready': 5,
  '200 pods on 5 nodes are ready': 60,
} as const
type Step = keyof typeof GOALS

const ambit = join(import.meta.dirname, '../../node_modules/.bin/ambit')
const home = mkdtempSync(join(tmpdir(), 'ambit-times-'))
const taken = new Map<Step, number[]>()

async function timed(step: Step, work: () => Promise<unknown>): Promise<void> {
  const startedMs = performance.now()
  await work()
  const seconds = (performance.now() - startedMs) / 1000
  taken.set(step, [...(taken.get(step) ?? []), seconds])
  process.stderr.write(`  ${step}: ${seconds.toFixed(2)} s\n`)
}

async function must(sandbox: RunningSandbox, program: string, args: readonly string[], input?: string): Promise<void> {
  const env = { ...process.env, KUBECONFIG: sandbox.kubeconfig, AMBIT_HOME: home, HOME: home }
  const result = await runCommand(program, args, input === undefined ? { env } : { env, input })
  if (result.code !== 0) throw new Error(`${result.line}: exit ${result.code}\n${result.stdout}${result.stderr}`)
}

/** A port nobody listens on, so that the API can be asked before anybody tells where it is. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Settles with the first answer; each refusal is followed by another try. */
function firstAnswer(port: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const ask = (): void => {
    const asked = request({ host: '127.0.0.1', port, path: '/version', rejectUnauthorized: false }, (answer) => {
      answer.resume().on('end', resolve)
    })
    asked.on('error', () => setImmediate(ask)).end()
  }
  ask()
  return promise
}

async function start(name: string, nodes: number): Promise<RunningSandbox> {
  const apiPort = await freePort()
  const started = { sandbox: undefined as RunningSandbox | undefined }
  const ready = timed('cluster is ready', async () => {
    started.sandbox = await sandboxUp({ name, nodes, apiPort, home })
  })
  await Promise.all([timed('API answers', () => firstAnswer(apiPort)), ready])
  if (started.sandbox === undefined) throw new Error('no sandbox')
  return started.sandbox
}

async function meshAndBookinfo(): Promise<void> {
  const sandbox = await start('mesh', 2)
  await timed('mesh is installed', () => must(sandbox, ambit, ['install', '--set', 'profile=ambient', '-y']))
  await must(sandbox, 'kubectl', ['create', 'namespace', 'books'])
  await must(sandbox, 'kubectl', ['label', 'namespace', 'books', 'istio.io/dataplane-mode=ambient'])
  await timed('Bookinfo is ready', async () => {
    await must(sandbox, 'kubectl', ['apply', '-f', '-'], bookstoreManifest('books'))
    await must(sandbox, 'kubectl', [
      'wait',
      '-n',
      'books',
      'deploy',
      '--all',
      '--for=condition=Available',
      '--timeout=120s',
    ])
  })
  await sandboxDown('mesh', home)
}

async function manyPods(): Promise<void> {
  const sandbox = await sandboxUp({ name: 'many', nodes: 5, home })
  await timed('200 pods on 5 nodes are ready', async () => {
    const words = [
      'create',
      'deployment',
      'many',
      '--image=curlimages/curl',
      '--replicas=200',
      '--',
      'sleep',
      'infinity',
    ]
    await must(sandbox, 'kubectl', words)
    await must(sandbox, 'kubectl', ['rollout', 'status', 'deployment/many', '--timeout=300s'])
  })
  await sandboxDown('many', home)
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, json: { type: 'string' } } })
const load = loadavg()[0] ?? 0
try {
  for (let round = 1; round <= Number(values.rounds); round++) {
    process.stderr.write(`round ${round} of ${values.rounds}\n`)
    await meshAndBookinfo()
    await manyPods()
  }
} finally {
  await sandboxDown('mesh', home)
  await sandboxDown('many', home)
  rmSync(home, { recursive: true, force: true })
}
process.stdout.write(`\nSeconds; the machine's load was ${load.toFixed(2)} before.\n\n`)
const rows = Object.entries(GOALS).map(([step, goal]) => {
  const seconds = taken.get(step as Step) ?? []
  return [step, quantile(seconds, 0.5).toFixed(2), Math.max(...seconds).toFixed(2), String(goal)]
})
process.stdout.write(`${align([['', 'median', 'worst', 'goal'], ...rows])}\n`)
if (values.json !== undefined)
  writeFileSync(values.json, JSON.stringify({ load, seconds: Object.fromEntries(taken) }, undefined, 1))
