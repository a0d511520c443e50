#!/usr/bin/env node
// `npm run demo|test|check|bench|generate`: sets up what is missing, then runs it on the workspace's own Node.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { Interrupted, runProgram } from './run-program.mjs'
import { setup } from './setup.mjs'
import { toolEnvironment } from './tools.mjs'
import { nodeFlags, root, workspaceNode } from './workspace-node.mjs'

const bin = (name) => join('node_modules', '.bin', name)
const ava = (config) => [bin('ava'), ...(config === undefined ? [] : ['--config', config])]
const goldens = process.env.AMBIT_SHARED ?? join(root, '..', 'shared')

// A user namespace gives the tests root over namespaces of their own; everything in it dies with the first process.
const inNamespaces = ['unshare', '-Urnm', '--pid', '--fork', '--kill-child', '--mount-proc']

/** No tier takes a third of it, and a test that hangs for good must fail the run rather than hold it up. */
const TIER_LIMIT_MS = 25 * 60_000

/** Tiers in the order they run: the cheapest first. */
const TIERS = {
  packages: { title: 'unit and in-process', command: [bin('c8'), '--config', '.ci/c8.json', ...ava()] },
  netns: { title: 'network namespaces', command: [...inNamespaces, ...ava('.ci/ava.netns.config.js')] },
  goldens: {
    title: 'outside test data',
    command: ava('.ci/ava.goldens.config.js'),
    skip: () =>
      existsSync(join(goldens, 'data'))
        ? undefined
        : `no outside test data at ${goldens}; set AMBIT_SHARED to its folder`,
  },
  cluster: { title: 'cluster', command: ava('.ci/ava.cluster.config.js') },
}

const CHECKS = [
  ['types', bin('tsc'), '-b'],
  ['lint', bin('oxlint'), '--type-aware', '--deny-warnings', '.'],
  ['format', bin('biome'), 'check', '--config-path=.ci/format.json', '.'],
  ['layers', 'node', '.ci/check-layers.ts'],
  ['limits', 'node', '.ci/check-limits.ts'],
  ['metrics', 'node', '.ci/check-metrics.ts'],
  ['manifests', 'node', '.ci/manifests.ts', '--check'],
  ['links', 'node', '.ci/check-links.ts'],
  // What disturbs a measurement only adds to it: one within the budgets of three is enough.
  ['costs', 'sh', '-c', 'for try in 1 2 3; do node test/costs/main.ts && exit 0; done; exit 1'],
  ['unused', bin('knip'), '--config', '.ci/knip.json', '--no-config-hints'],
]

async function run(command, options = {}) {
  const [program, ...args] = command
  const nodeFolder = dirname(workspaceNode())
  const env = toolEnvironment({ ...process.env, PATH: `${nodeFolder}${delimiter}${process.env.PATH}` })
  const { status, stderr } = await runProgram(program, args, {
    cwd: root,
    ...options,
    stdio: 'inherit',
    env: { ...env, NODE_OPTIONS: [...nodeFlags, env.NODE_OPTIONS].filter(Boolean).join(' ') },
  })
  if (stderr !== '') console.error(stderr.trimEnd())
  return status
}

async function test(given) {
  const files = given.filter((word) => word.endsWith('.ts'))
  const names = given.filter((word) => !files.includes(word))
  if (files.length > 0 && names.length !== 1) throw new Error('files are of one tier: name it')
  for (const name of names)
    if (TIERS[name] === undefined) throw new Error(`unknown tier ${name}; there are: ${Object.keys(TIERS).join(', ')}`)
  const rows = []
  for (const name of names.length > 0 ? names : Object.keys(TIERS)) {
    const { title, command, skip } = TIERS[name]
    const reason = skip?.()
    const started = Date.now()
    if (reason === undefined) console.log(`\n== ${name}: ${title}`)
    const status = reason === undefined ? await run([...command, ...files], { limitMs: TIER_LIMIT_MS }) : undefined
    rows.push({ name, status, reason, seconds: (Date.now() - started) / 1000 })
  }
  return summary(rows)
}

/** Whatever is killed or interrupted in it, nothing of the tests stays on the machine: neither files nor sandboxes. */
async function inFolderOfItsOwn(action) {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-tests-'))
  // Like /tmp: some tests run as somebody else.
  chmodSync(folder, 0o1777)
  process.env.TMPDIR = folder
  if (process.env.KUBECTL) useKubectl(process.env.KUBECTL, join(folder, 'kubectl'))
  try {
    return await action()
  } finally {
    for (const home of readdirSync(folder).map((name) => join(folder, name))) {
      const sandboxes = join(home, 'sandbox')
      for (const name of existsSync(sandboxes) ? readdirSync(sandboxes) : []) {
        const env = { ...process.env, AMBIT_HOME: home }
        await runProgram(bin('ambit'), ['sandbox', 'down', '--name', name], { cwd: root, env, outliveInterrupt: true })
      }
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}

/** Tests type `kubectl`: this one comes first. */
function useKubectl(program, folder) {
  if (!existsSync(program)) throw new Error(`KUBECTL names ${program}, which does not exist`)
  mkdirSync(folder)
  symlinkSync(resolve(program), join(folder, 'kubectl'))
  process.env.PATH = `${folder}${delimiter}${process.env.PATH}`
}

async function check() {
  const rows = []
  for (const [name, ...command] of CHECKS) {
    const started = Date.now()
    console.log(`\n== ${name}`)
    rows.push({ name, status: await run(command), seconds: (Date.now() - started) / 1000 })
  }
  return summary(rows)
}

function summary(rows) {
  console.log('')
  for (const { name, status, reason, seconds } of rows) {
    const verdict = status === undefined ? `not run: ${reason}` : status === 0 ? 'passed' : `FAILED (exit ${status})`
    console.log(`${name.padEnd(10)} ${verdict}  ${seconds.toFixed(1)} s`)
  }
  return rows.some(({ status }) => status !== undefined && status !== 0) ? 1 : 0
}

function programsFor(action) {
  if (['check', 'format', 'generate', 'manifests', 'stress'].includes(action)) return []
  // A browser is large: only the tier that opens one brings it.
  if (action === 'test')
    return ['sandbox', 'test', ...(rest.length === 0 || rest.includes('cluster') ? ['browser'] : [])]
  if (action !== 'bench') return ['sandbox']
  return ['sandbox', 'bench', ...(rest.includes('--waypoint') ? ['waypointBench'] : [])]
}

const [what, ...rest] = process.argv.slice(2)
try {
  await setup(programsFor(what))
  const actions = {
    test: () => inFolderOfItsOwn(() => test(rest)),
    check,
    demo: () => run(['node', join('test', 'demo', 'main.ts'), ...rest]),
    bench: () => run(['node', join('test', 'bench', 'main.ts'), ...rest]),
    // As the images run it: a small young generation (docs/decisions/023-reactor.md).
    stress: () => run(['node', '--max-semi-space-size=4', join('test', 'stress', 'main.ts'), ...rest]),
    latency: () => run(['node', join('test', 'latency', 'main.ts'), ...rest]),
    'api-load': () => run(['node', join('test', 'api-load', 'main.ts'), ...rest]),
    times: () => run(['node', join('test', 'times', 'main.ts'), ...rest]),
    format: () => run([bin('biome'), 'check', '--write', '--config-path=.ci/format.json', '.']),
    manifests: () => run(['node', '.ci/manifests.ts']),
    generate: () => run(['sh', '-c', `cd packages/api && ../../${bin('buf')} generate`]),
  }
  const action = actions[what]
  if (action === undefined) throw new Error(`unknown: ${what}; there are: ${Object.keys(actions).join(', ')}`)
  process.exitCode = await action()
} catch (error) {
  console.error(`${what ?? 'run'}: ${error.message}`)
  process.exitCode = error instanceof Interrupted ? error.exitCode : 1
}
