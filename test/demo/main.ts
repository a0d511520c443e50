// `npm run demo`: the tour a newcomer takes. Every line with a $ is what one could type; what follows is what it printed.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MESH_SETTINGS } from '../support/cluster.ts'
import { Narrator } from './narrator.ts'
import { takeTour } from './tour.ts'

const root = join(import.meta.dirname, '../..')
const ambit = join(root, 'node_modules/.bin/ambit')
const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } })

const name = 'demo'
const home = values.keep ? undefined : await mkdtemp(join(tmpdir(), 'ambit-demo-'))
// A private home keeps the demo's sandbox apart from one the user may have running, and leaves nothing behind.
const env: NodeJS.ProcessEnv = {
  ...process.env,
  NO_COLOR: '1',
  ...(home === undefined ? {} : { AMBIT_HOME: home, HOME: home }),
}
const narrator = new Narrator(env)

/** Shows its own progress as it happens, so it writes straight to the terminal. */
async function openly(...args: readonly string[]): Promise<number> {
  const child = spawn(ambit, args, { env, stdio: ['ignore', 'inherit', 'inherit'] })
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  child.on('error', reject)
  child.on('exit', (code) => resolve(code ?? 1))
  return await promise
}

async function leave(): Promise<void> {
  await narrator.quiet(ambit, ['sandbox', 'down', '--name', name])
  if (home !== undefined) await rm(home, { recursive: true, force: true })
}

let interrupted = false

/** More than one signal may come: npm passes on a copy of the terminal's. The first one counts, the tour ends untold. */
function interrupt(exitCode: number, say: string): void {
  if (interrupted) return
  interrupted = true
  narrator.fallSilent()
  if (say !== '') console.error(say)
  void leave().finally(() => process.exit(exitCode))
}

const farewell = values.keep ? 'taking the sandbox down.' : 'taking the sandbox and all its files away.'
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupt(128 + constants.signals[signal], `\nInterrupted; ${farewell}`))
}
// Whoever reads may go away (`npm run demo | head`).
process.stdout.on('error', () => interrupt(128 + constants.signals.SIGPIPE, ''))

let passed = false
try {
  narrator.step(
    'Boot a cluster with two nodes and install the mesh',
    'Nodes and pods are network namespaces on this machine; the API is a real Kubernetes API.',
  )
  narrator.say(`$ npx ambit sandbox up --nodes 2 --name ${name}`)
  const up = await openly('sandbox', 'up', '--nodes', '2', '--name', name)
  if (up !== 0) throw new Error('the sandbox did not start; its message is above')
  env['KUBECONFIG'] = (await narrator.quiet(ambit, ['sandbox', 'kubeconfig', '--name', name])).stdout.trim()
  const words = ['install', '--set', 'profile=ambient', ...MESH_SETTINGS, '-y']
  narrator.say(`$ npx ambit ${words.join(' ')}`)
  const installed = await openly(...words)
  if (installed !== 0) throw new Error('the mesh was not installed; the message is above')
  await takeTour(narrator, ambit)
  passed = narrator.summary()
} catch (error) {
  if (!interrupted) console.error(`\ndemo: ${error instanceof Error ? error.message : String(error)}`)
} finally {
  if (values.keep && !interrupted) {
    console.log(
      `\nThe sandbox is still up. Use it:\n\n  export KUBECONFIG=$(npx ambit sandbox kubeconfig --name ${name})\n  kubectl get pods -A\n\nTake it down: npx ambit sandbox down --name ${name}`,
    )
  } else if (!interrupted) {
    await leave()
  }
}
if (!interrupted) process.exitCode = passed ? 0 : 1
