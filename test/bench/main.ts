// `npm run bench [-- --waypoint | --control-plane | --scale] [--quick] [--only NAME,NAME] [--rounds N] [--base REV] [--json FILE]`
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BaseRevision } from './base-revision.ts'
import { cRelay } from './c-relay.ts'
import { BenchCa } from './ca.ts'
import { benchControlPlane, FULL_CONTROL_PLANE, QUICK_CONTROL_PLANE } from './control-plane/bench.ts'
import type { Design } from './design.types.ts'
import { haproxyDesigns } from './haproxy.ts'
import { hboneLibraries } from './hbone-library.ts'
import { build } from './load.ts'
import { machineFacts } from './machine-facts.ts'
import { type Effort, FULL, measure, QUICK, type Sample, warmUp } from './measure.ts'
import { DIRECT_PORT, FAR, MESH_PORT, Namespaces, NEAR } from './namespaces.ts'
import { direct, plain } from './plain.ts'
import { portOpen } from './port-open.ts'
import { Process } from './processes.ts'
import { align, COLUMNS, type Results, ratioRows, valueRows } from './report.ts'
import { benchScale, FULL_SCALE, QUICK_SCALE } from './scale/bench.ts'
import { type SoakSample, soak, soakTable } from './soak.ts'
import { benchHttp, httpDesigns } from './waypoint/bench.ts'
import { FULL_HTTP, QUICK_HTTP } from './waypoint/measure-http.ts'
import { ztunnelDesigns } from './ztunnel.ts'

const { values: options } = parseArgs({
  options: {
    waypoint: { type: 'boolean', default: false },
    'control-plane': { type: 'boolean', default: false },
    pods: { type: 'string' },
    proxies: { type: 'string' },
    wildcard: { type: 'string' },
    rate: { type: 'string' },
    minutes: { type: 'string' },
    profile: { type: 'string' },
    scale: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
    base: { type: 'string' },
    soak: { type: 'string' },
    inside: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

/** Everything runs in user, network, mount and PID namespaces of its own, and ends with them. */
function enterNamespaces(): number {
  const flags = ['-Urnm', '--pid', '--fork', '--kill-child', '--mount-proc']
  const args = [...flags, process.execPath, '--disable-warning=ExperimentalWarning', import.meta.filename]
  const result = spawnSync('unshare', [...args, ...process.argv.slice(2), '--inside'], { stdio: 'inherit' })
  if (result.error !== undefined) console.error(`unshare: ${result.error.message}`)
  return result.status ?? 1
}

async function bench(effort: Effort, designs: readonly Design[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'))
  const results = new Map<string, Sample[]>(designs.map((design) => [design.name, []]))
  const facts = machineFacts()
  const startedMs = performance.now()
  let failures = 0
  let done = 0
  try {
    const load = build(folder, 'load')
    using namespaces = await Namespaces.create()
    await using ca = await BenchCa.start(NEAR)
    await using server = await startServer(namespaces, load)
    for (let round = 0; round < effort.rounds; round++) {
      const seconds = (performance.now() - startedMs) / 1000
      if (round > 0 && (seconds / round) * (round + 1) > effort.budgetSeconds) {
        console.error(`${round} rounds took ${seconds.toFixed(0)} s, so there is no time for another`)
        break
      }
      // Forth and back, so that a drift of the machine does not favour whoever comes first.
      for (const design of round % 2 === 0 ? designs : designs.toReversed()) {
        process.stderr.write(`round ${round + 1} of ${effort.rounds}: ${design.name}\n`)
        let proxies: readonly Process[] = []
        try {
          proxies = await design.start({ namespaces, ca, folder })
          await warmUp(load, design, effort)
          results.get(design.name)?.push(await measure(load, design, proxies, namespaces, effort))
        } catch (error) {
          failures++
          console.error(`${design.name}: ${error instanceof Error ? error.message : String(error)}`)
          for (const proxy of proxies) console.error(`--- ${proxy.name}${proxy.alive ? '' : ' (dead)'}\n${proxy.tail}`)
        } finally {
          for (const proxy of proxies) await proxy[Symbol.asyncDispose]()
          namespaces.noRedirect()
        }
        if (!server.alive) throw new Error(`the server died:\n${server.tail}`)
      }
      done++
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  print(results, done, facts)
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      JSON.stringify({ facts, rounds: done, samples: Object.fromEntries(results) }, undefined, 1),
    )
  return failures === 0 ? 0 : 1
}

function print(results: Results, rounds: number, facts: readonly string[]): void {
  console.log(`\nMedians of ${rounds} interleaved rounds, 1 KiB messages; client, proxies and server share the CPUs.`)
  for (const fact of facts) console.log(fact)
  console.log('CPU and memory: both proxies together. Compare within a column; quote ratios.\n')
  for (const rows of [
    valueRows(results, COLUMNS),
    ...['direct', 'haproxy-tcp', 'haproxy-mtls', 'haproxy-h2', 'c-relay'].map((base) =>
      ratioRows(results, base, COLUMNS),
    ),
    // Each design to what it was at the other revision.
    ...[...results.keys()]
      .filter((name) => name.includes('@'))
      .map((base) => ratioRows(pairOf(results, base), base, COLUMNS)),
  ]) {
    if (rows === undefined) continue
    for (const line of align(rows)) console.log(line)
    console.log('')
  }
}

function pairOf(results: Results, base: string): Results {
  const [design = ''] = base.split('@')
  return new Map([...results].filter(([name]) => name === base || name === design))
}

/** Our own designs, each beside what it was at another revision. */
async function benchBeside(revision: string, effort: Effort, designs: readonly Design[]): Promise<number> {
  let base: BaseRevision
  try {
    base = new BaseRevision(revision)
  } catch (error) {
    console.error(`--base ${revision}: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  }
  using _base = base
  const before = await base.designs()
  const pairs = designs.map((design) => [
    design,
    ...before.filter(({ name }) => name === `${design.name}@${base.name}`),
  ])
  return await bench(effort, pairs.flat())
}

const LOGGED_LINES = 200

/** One design after another, each for so many minutes. */
async function benchSoak(minutes: number, designs: readonly Design[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'))
  const results: Record<string, readonly SoakSample[]> = {}
  for (const fact of machineFacts()) console.log(fact)
  try {
    const load = build(folder, 'load')
    using namespaces = await Namespaces.create()
    await using ca = await BenchCa.start(NEAR)
    await using _server = await startServer(namespaces, load)
    for (const design of designs) {
      const proxies = await design.start({ namespaces, ca, folder })
      try {
        const samples = await soak(load, design, proxies, minutes, ({ minutes: at, ...held }) =>
          process.stderr.write(`${design.name} ${at.toFixed(1)} min ${JSON.stringify(held)}\n`),
        )
        results[design.name] = samples
        console.log(`\n${design.name}: ${minutes} minutes of churn, both proxies together`)
        for (const line of soakTable(samples)) console.log(line)
      } catch (error) {
        // What the proxies logged of it.
        for (const file of readdirSync(folder).filter((name) => name.endsWith('.log')))
          console.error(
            `--- ${file}\n${readFileSync(join(folder, file), 'utf8').split('\n').slice(-LOGGED_LINES).join('\n')}`,
          )
        throw error
      } finally {
        for (const proxy of proxies) await proxy[Symbol.asyncDispose]()
        namespaces.noRedirect()
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, undefined, 1))
  return 0
}

function startServer(namespaces: Namespaces, load: string): Promise<Process> {
  return Process.start(namespaces, {
    name: 'server',
    side: 'far',
    command: [load, 'serve', String(DIRECT_PORT), String(MESH_PORT)],
    ready: () => portOpen(FAR, DIRECT_PORT),
  })
}

/** Those asked for that can run here. */
function chosen<D extends { readonly name: string; readonly missing?: string | undefined }>(
  all: readonly D[],
): readonly D[] {
  const wanted = options.only?.split(',')
  const unknown = wanted?.filter((name) => !all.some((design) => design.name === name)) ?? []
  if (unknown.length > 0)
    throw new Error(`no design ${unknown.join(', ')}; there are: ${all.map((design) => design.name).join(', ')}`)
  return all
    .filter((design) => wanted === undefined || wanted.includes(design.name))
    .filter((design) => {
      if (design.missing !== undefined) console.error(`not measured: ${design.name}: ${design.missing}`)
      return design.missing === undefined
    })
}

/** Who asks for rounds gets them, however long they take. */
function withRounds<E extends { readonly rounds: number; readonly budgetSeconds: number }>(effort: E): E {
  if (options.rounds === undefined) return effort
  return { ...effort, rounds: Math.max(1, Number(options.rounds) || 1), budgetSeconds: Number.POSITIVE_INFINITY }
}

function controlPlaneEffort(): typeof FULL_CONTROL_PLANE {
  const effort = options.quick ? QUICK_CONTROL_PLANE : FULL_CONTROL_PLANE
  const given = (value: string | undefined, other: number): number => (value === undefined ? other : Number(value))
  return {
    ...effort,
    pods: given(options.pods, effort.pods),
    proxies: given(options.proxies, effort.proxies),
    wildcard: given(options.wildcard, effort.wildcard),
    rate: given(options.rate, effort.rate),
    seconds: 60 * given(options.minutes, effort.seconds / 60),
    profile: options.profile,
  }
}

if (options.help) {
  console.log(
    'npm run bench -- [--waypoint|--scale] [--quick] [--rounds N] [--only direct,hbone,...] [--base REV] [--json FILE]',
  )
  console.log(
    'npm run bench -- --control-plane [--quick] [--pods N] [--proxies N] [--wildcard N] [--rate N] [--minutes N]',
  )
} else if (options['control-plane']) {
  // Nothing here needs namespaces of its own.
  process.exitCode = await benchControlPlane(controlPlaneEffort(), options.json)
} else if (options.scale) {
  const effort = options.quick ? QUICK_SCALE : FULL_SCALE
  const rounds = options.rounds === undefined ? effort.rounds : Math.max(1, Number(options.rounds) || 1)
  process.exitCode = await benchScale({ ...effort, rounds }, options.json)
} else if (!options.inside) {
  process.exitCode = enterNamespaces()
} else {
  const [busy = 0] = loadavg()
  if (busy > cpus().length / 2)
    console.error(`the machine is busy (load ${busy.toFixed(1)}): only ratios will mean something`)
  if (options.waypoint) {
    const effort = withRounds(options.quick ? QUICK_HTTP : FULL_HTTP)
    process.exitCode = await benchHttp(effort, chosen(httpDesigns()), options.json)
  } else {
    const own = [...hboneLibraries, ...ztunnelDesigns()]
    const effort = withRounds(options.quick ? QUICK : FULL)
    const all = (): readonly Design[] => [direct, plain, ...own, ...haproxyDesigns(), cRelay]
    if (options.soak !== undefined) {
      if (options.only === undefined)
        throw new Error('--soak MINUTES takes one design after another: name them by --only')
      process.exit(await benchSoak(Number(options.soak), chosen(all())))
    }
    process.exitCode =
      options.base === undefined
        ? await bench(effort, chosen(all()))
        : await benchBeside(options.base, effort, chosen(own))
  }
}
