import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

/** What a reader has to know to compare these numbers with others. */
export function machineFacts(programs: readonly string[] = ['haproxy']): readonly string[] {
  const versions = programs.map((program) => {
    const { stdout, stderr } = spawnSync(program, ['-v'], { encoding: 'utf8' })
    return `${stdout ?? ''}${stderr ?? ''}`.split('\n', 1)[0] || `no ${program}`
  })
  const load = loadavg().map((value) => value.toFixed(1))
  return [
    `${availableParallelism()} CPUs, ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 1024 ** 3)} GiB; Linux ${release()}`,
    `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}; ${versions.join('; ')}`,
    `load before the start ${load.join(' ')}`,
  ]
}
