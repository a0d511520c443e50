import type { Cluster } from './cluster.ts'
import { commandLine } from './command.ts'
import type { PodShell } from './shell.ts'

/** What a waypoint's answers say. */
export const BY_WAYPOINT: RegExp = /^server: istio-envoy\r?$/im

/** Writes the mesh settings anew, with these lines before the others; waypoints take them up while they run. */
export async function setMesh(cluster: Cluster, lines: string): Promise<void> {
  const mesh = await cluster.must('get', 'cm', '-n', 'istio-system', 'istio', '-o', 'jsonpath={.data.mesh}')
  const patch = JSON.stringify({ data: { mesh: `${lines}\n${mesh}` } })
  await cluster.must('patch', 'cm', '-n', 'istio-system', 'istio', '--type=merge', '-p', patch)
}

/** `ambit waypoint apply`; a failure shows what was printed. */
export async function applyWaypoint(cluster: Cluster, ...flags: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await cluster.ambit('waypoint', 'apply', '--wait', ...flags)
  if (code !== 0) throw new Error(`ambit waypoint apply ${flags.join(' ')}: exit ${code}\n${stdout}${stderr}`)
}

/** Addresses of a waypoint's ready pods. */
export async function waypointIps(cluster: Cluster, namespace: string, name = 'waypoint'): Promise<string[]> {
  const label = `gateway.networking.k8s.io/gateway-name=${name}`
  const path = 'jsonpath={.items[*].status.podIP}'
  return (await cluster.must('get', 'pod', '-n', namespace, '-l', label, '-o', path)).split(' ')
}

/** All a waypoint has logged. */
export async function waypointLog(cluster: Cluster, namespace: string, name = 'waypoint'): Promise<string> {
  return await cluster.must('logs', '-n', namespace, `deploy/${name}`, '--tail=5000')
}

export interface Answer {
  /** curl's exit code. */
  readonly exit: number
  readonly status: number
  /** Head as it came, with its line ends. */
  readonly head: string
  readonly body: string
}

/** One request from a shell in a pod. */
export async function fetchFrom(shell: PodShell, ...args: readonly string[]): Promise<Answer> {
  const line = commandLine('curl', ['-sS', '-i', '--max-time', '8', '-w', '\\n--%{http_code}', ...args])
  const text = await shell.run(`${line}; echo " $?"`)
  const [, status = '0', exit = '-1'] = /--(\d+) (\d+)\s*$/.exec(text) ?? []
  const answer = text.slice(0, text.lastIndexOf('\n--'))
  // A head before the last is an interim answer.
  const [head = '', ...rest] = answer.replace(/^(?:HTTP\/[\d.]+ 1\d\d.*?\r\n\r\n)+/s, '').split('\r\n\r\n')
  return { exit: Number(exit), status: Number(status), head, body: rest.join('\r\n\r\n') }
}

/** How many of many requests over one connection printed what; what is printed is a line of shell's filter. */
export async function countAnswers(
  shell: PodShell,
  url: string,
  times: number,
  filter: string,
): Promise<Map<string, number>> {
  const lines = await shell.run(`curl -sS --max-time 20 '${url}#[1-${times}]' | ${filter} | sort | uniq -c`)
  return new Map([...lines.matchAll(/^ *(\d+) (.*)$/gm)].map(([, count, what = '']) => [what, Number(count)]))
}
