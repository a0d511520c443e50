import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CertificateMaker } from '../../../packages/testing/src/index.ts'
import { build } from '../load.ts'
import { machineFacts } from '../machine-facts.ts'
import { DIRECT_PORT, FAR, Namespaces } from '../namespaces.ts'
import { portOpen } from '../port-open.ts'
import { Process } from '../processes.ts'
import { BenchControlPlane } from './control-plane.ts'
import { writeCredentials } from './credential-files.ts'
import type { HttpDesign, HttpSurroundings, HttpVersion, Running } from './http-design.types.ts'
import { type HttpEffort, type HttpSample, measureHttp } from './measure-http.ts'
import { probe } from './probe.ts'
import { printHttp } from './report-http.ts'
import { reverseProxyDesigns } from './reverse-proxies.ts'
import { unproxiedDesigns } from './unproxied.ts'
import { waypointDesigns } from './waypoint.ts'

export function httpDesigns(): readonly HttpDesign[] {
  return [...unproxiedDesigns(), ...reverseProxyDesigns(), ...waypointDesigns()]
}

/** Measures the designs in rounds, prints a table for each version of HTTP; answers with the exit status. */
export async function benchHttp(
  effort: HttpEffort,
  designs: readonly HttpDesign[],
  jsonFile: string | undefined,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'))
  const facts = machineFacts(['haproxy', 'nginx'])
  const cases = (['h1', 'h2'] as const).flatMap((version) =>
    designs.filter((design) => design.versions.includes(version)).map((design) => ({ version, design })),
  )
  const results = new Map<HttpVersion, Map<string, HttpSample[]>>()
  for (const { version, design } of cases) {
    const samples = results.get(version) ?? new Map<string, HttpSample[]>()
    results.set(version, samples.set(design.name, []))
  }
  const startedMs = performance.now()
  let failures = 0
  let done = 0
  try {
    const generator = build(folder, 'http')
    const certificates = new CertificateMaker()
    using namespaces = await Namespaces.create()
    await using controlPlane = await BenchControlPlane.start(certificates)
    await using server = await Process.start(namespaces, {
      name: 'server',
      side: 'far',
      command: [generator, 'serve', String(DIRECT_PORT)],
      ready: () => portOpen(FAR, DIRECT_PORT),
    })
    const credentials = writeCredentials(certificates, folder)
    for (let round = 0; round < effort.rounds; round++) {
      const seconds = (performance.now() - startedMs) / 1000
      if (round > 0 && (seconds / round) * (round + 1) > effort.budgetSeconds) {
        console.error(`${round} rounds took ${seconds.toFixed(0)} s, so there is no time for another`)
        break
      }
      // Forth and back, so that a drift of the machine does not favour whoever comes first.
      for (const { version, design } of round % 2 === 0 ? cases : cases.toReversed()) {
        process.stderr.write(`round ${round + 1} of ${effort.rounds}: ${design.name} ${version}\n`)
        await using stack = new AsyncDisposableStack()
        const surroundings: HttpSurroundings = { namespaces, controlPlane, credentials, folder, stack }
        let running: Running | undefined
        try {
          running = await design.start(surroundings, version)
          await probe(design, running, version)
          results
            .get(version)
            ?.get(design.name)
            ?.push(await measureHttp(generator, design, running, version, effort))
        } catch (error) {
          failures++
          console.error(`${design.name} ${version}: ${error instanceof Error ? error.message : String(error)}`)
          for (const each of [...(running?.subjects ?? []), ...(running?.ends ?? [])])
            console.error(`--- ${each.name}${each.alive ? '' : ' (dead)'}\n${each.tail}`)
        }
        if (!server.alive) throw new Error(`the server died:\n${server.tail}`)
      }
      done++
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  printHttp(results, done, facts)
  if (jsonFile !== undefined) {
    const samples = Object.fromEntries([...results].map(([version, each]) => [version, Object.fromEntries(each)]))
    writeFileSync(jsonFile, JSON.stringify({ facts, rounds: done, samples }, undefined, 1))
  }
  return failures === 0 ? 0 : 1
}
