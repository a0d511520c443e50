import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

/** What a reader has to know to compare these numbers with others. */
export function machineFacts(): readonly string[] {
  const haproxy = spawnSync('haproxy', ['-v'], { encoding: 'utf8' }).stdout?.split('\n', 1)[0]
  const load = loadavg().map((value) => value.toFixed(1))
  return [
    `${availableParallelism()} CPUs, ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 1024 ** 3)} GiB; Linux ${release()}`,
    `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}; ${haproxy || 'no haproxy'}`,
    `load before the start ${load.join(' ')}`,
  ]
}
