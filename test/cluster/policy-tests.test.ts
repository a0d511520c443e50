// What `ambit test` says of the sample suite is what curl sees: each case that a pod or this machine can ask is asked.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { runCommand, wasReset } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { enrolled, ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'

const SAMPLE = join(import.meta.dirname, '../policy-tests')
const START_LIMIT_MS = 60_000
/** From kubectl's return until all proxies know, and everything has been asked once. */
const EFFECT_LIMIT_MS = 30_000
const PROBES = ['bookinfo-productpage', 'bookinfo-reviews', 'bookinfo-ratings'] as const

interface Asked {
  readonly name: string
  readonly question: {
    readonly from: {
      readonly kind: string
      readonly namespace?: string
      readonly serviceAccount?: string
      readonly ip?: string
    }
    readonly to: { readonly kind: string; readonly namespace: string; readonly name: string; readonly port: number }
    readonly request?: {
      readonly method: string
      readonly path: string
      readonly host?: string
      readonly headers: readonly (readonly [string, string])[]
      readonly claims?: object
    }
  }
  readonly answer: { readonly outcome: string }
}

let cluster: Cluster
const shells = new Map<string, PodShell>()
/** Pods by the `namespace/name` of their Deployment. */
const podIps = new Map<string, string>()
let gateway: string

const manifests = (folder: string): string =>
  readdirSync(join(SAMPLE, folder))
    .toSorted()
    .map((name) => readFileSync(join(SAMPLE, folder, name), 'utf8'))
    .join('\n---\n')

/** A client that runs as an account of the sample: its own pods have no shell. */
const probe = (account: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: probe-${account}, namespace: bookinfo, labels: { app: probe } }
spec:
  serviceAccountName: ${account}
  terminationGracePeriodSeconds: 0
  containers: [{ name: curl, image: 'docker.io/curlimages/curl:8.16.0', command: [/bin/sleep, infinity] }]`

test.serial.before(async () => {
  cluster = await startCluster({ name: 'policy-tests' })
  await cluster.apply(readFileSync(join(SAMPLE, 'mesh/namespaces.yaml'), 'utf8'))
  await cluster.apply([manifests('mesh'), ...PROBES.map(probe)].join('\n---'))
  for (const [namespace, name] of [
    ['bookinfo', 'waypoint'],
    ['ingress', 'front'],
  ] as const)
    await cluster.must('wait', 'gtw', '-n', namespace, name, '--for=condition=Programmed', '--timeout=60s')
  for (const namespace of ['bookinfo', 'finance', 'ingress'])
    await cluster.must('wait', 'deploy', '-n', namespace, '--all', '--for=condition=Available', '--timeout=60s')
  await ready(cluster, 'bookinfo', 'finance', 'people', 'legacy', 'ingress')
  await enrolled(cluster, 'finance', 'people')
  const clients = ['people/curator', 'people/reader', 'legacy/crawler']
  for (const client of clients) shells.set(client, new PodShell(cluster, client))
  for (const account of PROBES) shells.set(`bookinfo/${account}`, new PodShell(cluster, `bookinfo/probe-${account}`))
  const columns = 'custom-columns=N:.metadata.namespace,P:.metadata.name,I:.status.podIP'
  const pods = await cluster.must('get', 'pods', '-A', '--no-headers', '-o', columns)
  for (const [, namespace, name, ip = ''] of pods.matchAll(/^(\S+) +(\S+)-[a-z0-9]+-[a-z0-9]{5} +(\S+)$/gm))
    podIps.set(`${namespace}/${name}`, ip)
  gateway = await cluster.must('get', 'gtw', '-n', 'ingress', 'front', '-o', 'jsonpath={.status.addresses[0].value}')
  const curator = shells.get('people/curator')
  await eventually(
    () =>
      curator?.run("curl -s -o /dev/null -w '%{http_code} ' http://reviews.bookinfo:9080/reviews/0") ??
      Promise.resolve(''),
    (text) => text.startsWith('200'),
    START_LIMIT_MS,
    'without policies the reviews are read',
  )
})

test.serial.after.always(async () => {
  for (const shell of shells.values()) await shell[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

/** Somebody of the sample that really is there. */
function canAsk({ question: { from } }: Asked): boolean {
  if (from.kind === 'outside') return from.ip === undefined
  return shells.has(`${from.namespace}/${from.serviceAccount}`)
}

/** What curl's exit code and status mean. */
function outcomeOf(exit: number, status: number): string {
  if (wasReset(exit) || status === 401 || status === 403) return 'denied'
  return exit === 0 && status > 0 && status !== 503 ? 'allowed' : `exit ${exit}, status ${status}`
}

async function askWithCurl({ question: { from, to, request } }: Asked): Promise<string> {
  const headers = [
    ...(request?.headers ?? []).map(([name, value]) => `${name}: ${value}`),
    ...(request?.host === undefined ? [] : [`host: ${request.host}`]),
    ...(request?.claims === undefined ? [] : ['authorization: Bearer e30.e30.e30']),
  ]
  const address =
    from.kind === 'outside'
      ? gateway
      : to.kind === 'pod'
        ? podIps.get(`${to.namespace}/${to.name}`)
        : `${to.name}.${to.namespace}`
  const url = `http://${address}:${to.port}${request?.path ?? '/'}`
  const method = request?.method === 'HEAD' ? ['-I'] : ['-X', request?.method ?? 'GET']
  const flags = [
    '-s',
    '-o',
    '/dev/null',
    '--max-time',
    '8',
    '--path-as-is',
    '-w',
    '%{exitcode} %{http_code}',
    ...method,
  ]
  const args = [...flags, ...headers.flatMap((header) => ['-H', header]), url]
  const shell = shells.get(`${from.namespace}/${from.serviceAccount}`)
  const quoted = args.map((arg) => `'${arg}'`).join(' ')
  const text =
    from.kind === 'outside'
      ? (await runCommand('curl', ['--noproxy', '*', ...args])).stdout
      : ((await shell?.run(`curl ${quoted}`)) ?? '')
  const [, exit = '-1', status = '0'] = /^(\d+) (\d+)/.exec(text) ?? []
  return outcomeOf(Number(exit), Number(status))
}

test.serial('ambit test and curl agree about the sample suite', async (t) => {
  await cluster.apply(manifests('policies'))
  const { code, stdout, stderr } = await cluster.ambit('test', '-o', 'json', SAMPLE)
  t.is(code, 0, stdout + stderr)
  const report = JSON.parse(stdout) as { readonly tests: readonly { readonly cases: readonly Asked[] }[] }
  const asked = report.tests.flatMap(({ cases }) => cases).filter(canAsk)
  t.true(asked.length >= 60, `${asked.length} cases can be asked`)
  for (const outcome of ['allowed', 'denied'])
    t.true(asked.filter(({ answer }) => answer.outcome === outcome).length >= 10, outcome)
  const expected = Object.fromEntries(asked.map(({ name, answer }) => [name, answer.outcome]))
  const seen: Record<string, string> = {}
  /** Only what has not come out as said is asked again: policies reach proxies one after the other. */
  const ask = async (): Promise<readonly string[]> => {
    const open = asked.filter(({ name }) => seen[name] !== expected[name])
    for (const one of open) seen[one.name] = await askWithCurl(one)
    return open.filter(({ name }) => seen[name] !== expected[name]).map(({ name }) => `${name}: ${seen[name]}`)
  }
  await eventually(ask, (differing) => differing.length === 0, EFFECT_LIMIT_MS, 'curl and ambit test agree')
  // And still do, once everything is in force.
  for (const one of asked) seen[one.name] = await askWithCurl(one)
  t.deepEqual(seen, expected)
})
