import { join } from 'node:path'
import { type CommandResult, wasReset } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import type { Narrator } from './narrator.ts'

const CLIENTS = 'demo-client'
const SERVER = 'demo-server'
const HTTPBIN = `http://httpbin.${SERVER}:8000`
const HELLO = `http://helloworld.${SERVER}:5000/hello`
const REQUESTS = 500
/** Of 450 expected; one honest run in 100,000 is further off (4.5 standard deviations). */
const TOLERATED = 30
const LIMIT_MS = 15_000
const LABELLED = 'gateway.networking.k8s.io/gateway-name=waypoint'
const DENIED = 'RBAC: access denied'
/** Every answer of a waypoint says so (Envoy's name in Istio). */
const BY_WAYPOINT = /^server: istio-envoy$/im

/** Turns access logs on, as one does in any Istio: the waypoint takes it up while it runs. */
const WITH_ACCESS_LOG =
  'kubectl get cm istio -n istio-system -o yaml | sed "s|^  mesh: .*|&\\n    accessLogFile: /dev/stdout|" | kubectl replace -f -'

const manifest = (file: string): string => join(import.meta.dirname, 'manifests', file)

/** The second half of the tour: from connections to requests, and back. Client and server are in the mesh. */
export async function takeWaypointTour(narrator: Narrator, ambit: string): Promise<void> {
  const kubectl = (...args: readonly string[]): Promise<CommandResult> => narrator.run('kubectl', args)
  const quietly = (...args: readonly string[]): Promise<CommandResult> => narrator.quiet('kubectl', args)
  const curlArgs = (client: string, args: readonly string[]): string[] => {
    return ['exec', '-n', CLIENTS, `deploy/${client}`, '--', 'curl', '-sS', '--max-time', '10', ...args]
  }
  const curl = (client: string, ...args: readonly string[]): Promise<CommandResult> =>
    kubectl(...curlArgs(client, args))
  /** Follows the way of alice's requests until it is as it should be. */
  const untilByWaypoint = (by: boolean): Promise<CommandResult> =>
    eventually(
      () => quietly(...curlArgs('alice', ['-i', `${HTTPBIN}/get`])),
      ({ code, stdout }) => code === 0 && BY_WAYPOINT.test(stdout) === by,
      LIMIT_MS,
      `requests ${by ? 'go through the waypoint' : 'go direct'}`,
    )
  const accepted = (name: string): Promise<CommandResult> =>
    quietly('wait', 'ap', '-n', SERVER, name, '--for=condition=WaypointAccepted', '--timeout=10s')

  narrator.step('A waypoint: policy on requests, not only on connections', 'One proxy for the namespace of the server.')
  await kubectl('delete', 'authorizationpolicy', '-n', SERVER, '--all')
  await narrator.run('sh', ['-c', WITH_ACCESS_LOG])
  const apply = await narrator.run(ambit, ['waypoint', 'apply', '-n', SERVER, '--enroll-namespace', '--wait'])
  await kubectl('get', 'gtw', '-n', SERVER)
  narrator.check('the waypoint is programmed', apply.code === 0, `ambit waypoint apply: exit code ${apply.code}`)
  await untilByWaypoint(true)
  await narrator.run(ambit, ['ztunnel-config', 'services', '-n', SERVER])
  const through = await curl('alice', '-o', '/dev/null', '-D', '-', `${HTTPBIN}/get`)
  narrator.check('requests go through it', BY_WAYPOINT.test(through.stdout), 'answers say "server: istio-envoy"')

  narrator.step('alice may read, and nothing else')
  await kubectl('apply', '-f', manifest('readers.yaml'))
  await accepted('readers')
  const status = ['-o', '/dev/null', '-w', '%{http_code}\\n']
  const read = await curl('alice', ...status, `${HTTPBIN}/get`)
  narrator.check('GET is allowed', read.stdout.trim() === '200', `status ${read.stdout.trim()}`)
  const written = await curl('alice', '-w', '\\n%{http_code}\\n', '-X', 'DELETE', `${HTTPBIN}/delete`)
  narrator.check(
    'DELETE is denied',
    written.stdout === `${DENIED}\n403\n`,
    written.stdout.trim().split('\n').reverse().join(' '),
  )
  const other = await curl('mallory', ...status, `${HTTPBIN}/get`)
  narrator.check('mallory may not even read', other.stdout.trim() === '403', `status ${other.stdout.trim()}`)

  narrator.step('Nobody asks for /status', 'A rule on paths, and two ways to write a path that would get around it.')
  await kubectl('apply', '-f', manifest('no-status.yaml'))
  await accepted('no-status')
  const paths = ['/status/200', '/get/../status/200', '/get/%2e%2e/status/200']
  const codes = await curl(
    'alice',
    '--path-as-is',
    '-w',
    ' %{http_code}\\n',
    ...paths.map((path) => `${HTTPBIN}${path}`),
  )
  narrator.check(
    'the path is denied however it is written',
    codes.stdout === `${DENIED} 403\n`.repeat(paths.length),
    `${codes.stdout.split(' 403\n').length - 1} of ${paths.length} answered 403`,
  )
  const beside = await curl('alice', ...status, `${HTTPBIN}/headers`)
  narrator.check('other paths are not', beside.stdout.trim() === '200', `status ${beside.stdout.trim()}`)

  narrator.step('What the waypoint tells')
  const log = await narrator.run('kubectl', ['logs', '-n', SERVER, 'deploy/waypoint', '--tail=200'], {
    show: (line) => line.includes('DELETE'),
  })
  narrator.check(
    'its log names request and policy',
    /^\[\S+Z\] "DELETE \/delete HTTP\/1\.1" 403 - rbac_access_denied_matched_policy\[none\] /m.test(log.stdout) &&
      log.stdout.includes(`policy="${SERVER}/readers"`),
    `DELETE /delete 403, ${SERVER}/readers`,
  )
  const address = await quietly('get', 'pod', '-n', SERVER, '-l', LABELLED, '-o', 'jsonpath={.items[0].status.podIP}')
  const isDenial = (line: string): boolean => /^istio_requests_total\{.*\/sa\/alice.*response_code="403"/.test(line)
  const metrics = await narrator.run(
    'kubectl',
    curlArgs('alice', [`http://${address.stdout}:15020/stats/prometheus`]),
    {
      show: isDenial,
    },
  )
  const count = metrics.stdout.split('\n').find(isDenial)?.split(' ').at(-1)
  narrator.check("so does Istio's metric", count === '4', `istio_requests_total{…, response_code="403", …} ${count}`)

  narrator.step('Nine requests in ten to one version, one to the other')
  await kubectl('apply', '-f', manifest('versions.yaml'), '-f', manifest('split.yaml'))
  for (const version of ['v1', 'v2'])
    await quietly('rollout', 'status', '-n', SERVER, `deploy/helloworld-${version}`, '--timeout=60s')
  const once = `curl -s "${HELLO}"`
  const shell = ['exec', '-n', CLIENTS, 'deploy/alice', '--', 'sh', '-c']
  await eventually(
    () => quietly(...shell, `${once} -D -`),
    ({ stdout }) => BY_WAYPOINT.test(stdout) && stdout.includes('Hello version'),
    LIMIT_MS,
    'the new service answers through the waypoint',
  )
  const split = await kubectl(...shell, `curl -s "${HELLO}#[1-${REQUESTS}]" | cut -d, -f1 | sort | uniq -c`)
  const answers = (version: string): number =>
    Number(new RegExp(`(\\d+) Hello version: ${version}$`, 'm').exec(split.stdout)?.[1] ?? 0)
  const [first, second] = [answers('v1'), answers('v2')]
  narrator.check(
    'traffic is split 90 to 10',
    first + second === REQUESTS && Math.abs(first - REQUESTS * 0.9) <= TOLERATED,
    `${first} to v1, ${second} to v2`,
  )

  narrator.step('Without the waypoint', 'What it enforced goes with it; policy on connections stays what it was.')
  const deleted = await narrator.run(ambit, ['waypoint', 'delete', '-n', SERVER, '--all'])
  await kubectl('label', 'namespace', SERVER, 'istio.io/use-waypoint-')
  await kubectl('apply', '-f', manifest('allow-alice.yaml'))
  await quietly('wait', 'ap', '-n', SERVER, 'allow-alice', '--for=condition=ZtunnelAccepted', '--timeout=10s')
  await untilByWaypoint(false)
  const direct = await curl('alice', ...status, '-X', 'DELETE', `${HTTPBIN}/delete`)
  narrator.check(
    'no waypoint: alice connects, and may ask for anything',
    deleted.code === 0 && direct.stdout.trim() === '200',
    `DELETE: status ${direct.stdout.trim()}`,
  )
  const refused = await curl('mallory', `${HTTPBIN}/get`)
  narrator.check('mallory is refused by ztunnel again', wasReset(refused.code), `curl exit code ${refused.code}`)
}
