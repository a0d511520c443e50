import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type CommandResult, wasReset } from '../support/command.ts'
import type { Narrator } from './narrator.ts'
import { takeWaypointTour } from './waypoint-tour.ts'
import { tapNode } from './wiretap.ts'

const CLIENTS = 'demo-client'
const SERVER = 'demo-server'
const URL = `http://httpbin.${SERVER}:8000`
const ENROLLED = '{.metadata.annotations.ambient\\.istio\\.io/redirection}=enabled'
/** Something that is recognised on the wire and in an answer. */
const SECRET = 'correct-horse-battery-staple'

const manifest = (file: string): string => join(import.meta.dirname, 'manifests', file)

/** The tour itself, on a cluster that is up; every claim it makes becomes a check. */
export async function takeTour(narrator: Narrator, ambit: string): Promise<void> {
  const kubectl = (...args: readonly string[]): Promise<CommandResult> => narrator.run('kubectl', args)
  const quietly = (...args: readonly string[]): Promise<CommandResult> => narrator.quiet('kubectl', args)
  const curl = (client: string, ...args: readonly string[]): Promise<CommandResult> =>
    kubectl('exec', '-n', CLIENTS, `deploy/${client}`, '--', 'curl', '-sS', '--max-time', '10', ...args)

  narrator.step(
    'Two namespaces: two clients on one node, a server on the other',
    'alice and mallory differ in nothing but their service account.',
  )
  await kubectl('get', 'nodes')
  await kubectl('apply', '-f', manifest('server.yaml'), '-f', manifest('clients.yaml'))
  for (const [namespace, name] of [
    [SERVER, 'httpbin'],
    [CLIENTS, 'alice'],
    [CLIENTS, 'mallory'],
  ] as const) {
    await quietly('rollout', 'status', '-n', namespace, `deploy/${name}`, '--timeout=60s')
  }
  const pods = await kubectl('get', 'pods', '-A', '-o', 'wide', '-l', 'app in (alice,mallory,httpbin)')
  narrator.check(
    'pods run on two nodes',
    /ambit-1/.test(pods.stdout) && /ambit-2/.test(pods.stdout),
    'clients on the first, server on the second',
  )
  const podIp = async (namespace: string, app: string): Promise<string> =>
    (await quietly('get', 'pod', '-n', namespace, '-l', `app=${app}`, '-o', 'jsonpath={.items[0].status.podIP}')).stdout
  const address = await podIp(CLIENTS, 'alice')

  narrator.step('Plain traffic', 'Not in the mesh yet: whoever sits between the nodes reads along.')
  await using tap = await tapNode(narrator, await podIp(SERVER, 'httpbin'))
  const plain = await curl('alice', '-H', `x-secret: ${SECRET}`, `${URL}/headers`)
  narrator.check(
    'the client reaches the server',
    plain.code === 0 && plain.stdout.includes(SECRET),
    `curl exit code ${plain.code}`,
  )
  const heard = await tap.shows((text) => text.includes(SECRET))
  narrator.check('the wire shows the payload', heard, `a wiretap on the node's link read "${SECRET}"`)

  narrator.step('Label the namespaces', 'No pod is restarted.')
  await kubectl('label', 'namespace', CLIENTS, SERVER, 'istio.io/dataplane-mode=ambient')
  for (const namespace of [CLIENTS, SERVER])
    await quietly('wait', 'pod', '-n', namespace, '--all', `--for=jsonpath=${ENROLLED}`, '--timeout=30s')
  const enrolled = await kubectl(
    'get',
    'pods',
    '-A',
    '-l',
    'app in (alice,mallory,httpbin)',
    '-o',
    'custom-columns=POD:.metadata.name,RESTARTS:.status.containerStatuses[0].restartCount,REDIRECTION:.metadata.annotations.ambient\\.istio\\.io/redirection',
  )
  narrator.check(
    'all pods are enrolled, none restarted',
    (enrolled.stdout.match(/\b0 +enabled/g) ?? []).length === 3,
    '3 of 3 pods: redirection enabled, 0 restarts',
  )

  narrator.step('The same curl, now through the mesh')
  tap.forget()
  const meshed = await curl('alice', '-H', `x-secret: ${SECRET}`, `${URL}/headers`)
  narrator.check(
    'the client still reaches the server',
    meshed.code === 0 && meshed.stdout.includes(SECRET),
    `curl exit code ${meshed.code}`,
  )
  const origin = await curl('alice', `${URL}/ip`)
  narrator.check("the server sees the client pod's own address", origin.stdout.includes(address), address)
  await tap.shows((text) => text.includes('.15008'))
  const ports = tap.openedPorts()
  narrator.check(
    'the wire shows only port 15008, no payload',
    ports.every((port) => port === 15008) && ports.length > 0 && !tap.text.includes(SECRET),
    `destination ports seen: ${[...new Set(ports)].join(', ')}`,
  )

  narrator.step("ztunnel's own connection table", 'An open download, seen from the node of the server.')
  await using open = new OpenDownload(narrator, 'alice')
  await open.started
  const table = await narrator.run(ambit, ['ztunnel-config', 'connections', '--node', 'ambit-2', '--tls'])
  narrator.check(
    'both identities are authenticated',
    table.stdout.includes(`ns/${CLIENTS}/sa/alice`) && table.stdout.includes(`ns/${SERVER}/sa/httpbin`),
    'spiffe identities of client and server',
  )
  narrator.check(
    'mutual TLS 1.3 with a post-quantum key exchange',
    /TLSv1\.3/.test(table.stdout) && /X25519MLKEM768/.test(table.stdout),
    'TLSv1.3, X25519MLKEM768',
  )

  narrator.step('Who may call the server: only alice', 'By the identity in the certificate, not by address.')
  await kubectl('apply', '-f', manifest('allow-alice.yaml'))
  await quietly(
    'wait',
    'authorizationpolicy',
    '-n',
    SERVER,
    'allow-alice',
    '--for=condition=ZtunnelAccepted',
    '--timeout=10s',
  )
  await narrator.run(ambit, ['ztunnel-config', 'policies', '--node', 'ambit-2'])
  const allowed = await curl('alice', '-o', '/dev/null', '-w', '%{http_code}\\n', `${URL}/get`)
  narrator.check(
    'alice is allowed',
    allowed.code === 0 && allowed.stdout.includes('200'),
    `curl exit code ${allowed.code}`,
  )
  const denied = await curl('mallory', `${URL}/get`)
  narrator.check('mallory is denied', wasReset(denied.code), `curl exit code ${denied.code}`)
  const log = await narrator.run(
    'kubectl',
    ['logs', '-n', 'istio-system', '-l', 'app=ztunnel', '--tail=200', '--prefix=false'],
    { show: (line) => line.includes('policy rejection') },
  )
  narrator.check(
    'the log names the policy',
    log.stdout.split('\n').some((line) => line.includes('mallory') && line.includes(`${SERVER}/allow-alice`)),
    `${SERVER}/allow-alice`,
  )

  narrator.step('A policy change cuts what is already open', "alice's download of step 6 is still running.")
  narrator.check('the download is still open', open.running, `${open.received} bytes so far`)
  const before = performance.now()
  await kubectl('apply', '-f', manifest('deny-demo-client.yaml'))
  const applied = performance.now()
  const exit = await open.ended
  narrator.check(
    'the open connection was cut',
    exit !== 0,
    `curl exit code ${exit}, ${Math.max(0, Math.round(performance.now() - applied))} ms after kubectl returned (${Math.round(performance.now() - before)} ms after it was typed)`,
  )

  await takeWaypointTour(narrator, ambit)

  narrator.step('Out of the mesh again')
  await kubectl('delete', 'authorizationpolicy', '-n', SERVER, '--all')
  await kubectl('label', 'namespace', CLIENTS, SERVER, 'istio.io/dataplane-mode-')
  await untilUnenrolled(quietly)
  tap.forget()
  const again = await curl('mallory', '-H', `x-secret: ${SECRET}`, `${URL}/headers`)
  const heardAgain = await tap.shows((text) => text.includes(SECRET))
  narrator.check(
    'plain again, and open to all',
    again.code === 0 && heardAgain,
    `curl exit code ${again.code}, payload on the wire`,
  )
}

/** Follows the pods until none carries the annotation any more. */
async function untilUnenrolled(kubectl: (...args: readonly string[]) => Promise<CommandResult>): Promise<void> {
  const query = [
    'get',
    'pods',
    '-A',
    '-l',
    'app in (alice,mallory,httpbin)',
    '-o',
    'jsonpath={range .items[*]}{.metadata.annotations.ambient\\.istio\\.io/redirection}{end}',
  ]
  const deadline = performance.now() + 30_000
  while ((await kubectl(...query)).stdout.includes('enabled')) {
    if (performance.now() > deadline)
      throw new Error(
        'pods are still enrolled 30 s after the label was removed; see kubectl logs -n istio-system ds/istio-cni-node',
      )
  }
}

/** A slow download in the background: one connection that stays open until something cuts it. */
class OpenDownload implements AsyncDisposable {
  readonly started: Promise<void>
  readonly ended: Promise<number>
  received = 0
  running = true
  readonly #child

  constructor(narrator: Narrator, client: string) {
    const args = [
      'exec',
      '-n',
      CLIENTS,
      `deploy/${client}`,
      '--',
      'curl',
      '-sSN',
      `${URL}/drip?duration=120&numbytes=1200&delay=0`,
    ]
    narrator.say(`$ kubectl ${args.join(' ')} &`)
    this.#child = spawn('kubectl', args, { env: narrator.env, stdio: ['ignore', 'pipe', 'ignore'] })
    const first = Promise.withResolvers<void>()
    const last = Promise.withResolvers<number>()
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.received += chunk.length
      first.resolve()
    })
    this.#child.on('close', (code) => {
      this.running = false
      first.resolve()
      last.resolve(code ?? -1)
    })
    this.started = first.promise
    this.ended = last.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.ended
  }
}
