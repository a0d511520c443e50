// `ambit test` as it is typed: what is printed, where, and how it ends.
import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Follower } from '../../../test/support/follow.ts'
import { createContext } from '../src/app.ts'
import type { Context } from '../src/context.types.ts'
import { readEnvironment } from '../src/env.ts'
import { runCommandLine } from '../src/run-command-line.ts'

const SAMPLE = fileURLToPath(new URL('../../../test/policy-tests', import.meta.url))
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const LIMIT_MS = 40_000

interface Output {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function ambit(...args: readonly string[]): Promise<Output> {
  const out: string[] = []
  const err: string[] = []
  const context: Context = {
    ...createContext(readEnvironment({}, {}), process),
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  }
  const code = await runCommandLine(['test', ...args], context)
  return { code, out: out.join('\n'), err: err.join('\n') }
}

let folder: string
/** Over the sample: of its three cases one comes out otherwise. */
let failing: string

const FAILING = `apiVersion: ambit.dev/v1
kind: PolicyTest
metadata: { name: wishes }
cases:
  - name: a reader writes
    from: people/reader
    to: bookinfo/reviews
    request: PUT /reviews/0
    expect: allow
  - name: a reader does not read
    from: people/reader
    to: bookinfo/reviews
    request: /reviews/0
    expect: deny
  - name: a curator moderates
    from: people/curator
    to: bookinfo/reviews
    request: { path: /reviews/0, headers: { x-purpose: moderation } }
    expect: allow
`

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'policy-tests-'))
  failing = join(folder, 'failing.yaml')
  await writeFile(failing, FAILING)
})

test.after.always(() => rm(folder, { recursive: true, force: true }))

const MESH = [join(SAMPLE, 'mesh'), join(SAMPLE, 'policies')]

test('the sample suite: all as expected, status 0', async (t) => {
  const { code, out, err } = await ambit(SAMPLE)
  t.is(code, 0, out + err)
  t.is(err, '')
  t.regex(out, /^88 cases: 88 as expected \(\d+\.\d\d s\)$/m)
})

test('a case that comes out otherwise: status 81, and why', async (t) => {
  const { code, out, err } = await ambit(...MESH, failing)
  t.is(code, 81)
  t.is(err, '')
  t.is(
    out.replaceAll(folder, 'FOLDER').replace(/\(\d+\.\d\d s\)/, '(TIME)'),
    `wishes  FOLDER/failing.yaml
  ✔ 2 cases as expected
  ✘ a reader writes  FOLDER/failing.yaml:5:5
      question  people/reader → bookinfo/reviews PUT /reviews/0
      expected  allow
      actual    deny at waypoint by none of bookinfo/reviews-readers
      reason    rbac_access_denied_matched_policy[none]
      nearest   bookinfo/reviews-readers#0 if from[0].source.serviceAccounts is bookinfo/bookinfo-productpage; it is "people/reader"
      nearest   bookinfo/reviews-readers#0 if to[0].operation.methods is GET; it is "PUT"

3 cases: 1 failed, 2 as expected (TIME)`,
  )
})

test('programs get their format on stdout and nothing else, coverage on stderr', async (t) => {
  const tap = await ambit(...MESH, failing, '-o', 'tap', '--coverage')
  t.is(tap.code, 81)
  t.regex(tap.out, /^TAP version 14\n1\.\.3\nnot ok 1 - wishes: a reader writes\n {2}---\n/)
  t.regex(tap.err, /^Coverage \d/)
  const json = await ambit(...MESH, failing, '-o', 'json', '--coverage')
  const { format, failed, coverage } = JSON.parse(json.out) as {
    format: string
    failed: number
    coverage: { percent: number }
  }
  t.deepEqual([format, failed], ['ambit.policy-test-result/v1', 1])
  t.true(coverage.percent > 0 && coverage.percent < 100)
  t.is(json.err, '')
  const junit = await ambit(...MESH, failing, '-o', 'junit')
  t.regex(junit.out, /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites [^>]+>\n/)
})

test('--run, --list, --fail-fast, -v', async (t) => {
  const chosen = await ambit(...MESH, failing, '--run', 'wishes: *READ')
  t.is(chosen.code, 81)
  t.regex(chosen.out, /^2 cases: 1 failed, 1 as expected/m)
  const list = await ambit(...MESH, failing, '--list', '--run', 'moderates', '--run', 'writes')
  t.deepEqual([list.code, list.out], [0, 'wishes: a reader writes\nwishes: a curator moderates'])
  const fast = await ambit(...MESH, failing, '--fail-fast')
  t.is(fast.code, 81)
  t.regex(fast.out, /^3 cases: 1 failed, 0 as expected, 2 not run/m)
  const bail = await ambit(...MESH, failing, '--fail-fast', '-o', 'tap')
  t.regex(bail.out, /\nBail out! /)
  const verbose = await ambit(...MESH, failing, '-v', '--run', 'moderates')
  t.regex(verbose.out, /^ {2}✔ a curator moderates$/m)
  const none = await ambit(...MESH, failing, '--run', 'nobody')
  t.deepEqual([none.code, none.err], [1, 'Error: no case has "nobody" in its name'])
})

test('coverage below the threshold: status 82; a failed case counts more', async (t) => {
  const low = await ambit(SAMPLE, '--coverage-threshold', '100')
  t.is(low.code, 82)
  t.regex(low.err, /^Error: coverage is \d+\.\d %, below 100 %$/m)
  t.regex(low.out, /^Coverage \d+\.\d %: \d+ of \d+ policies asked/m)
  t.is((await ambit(SAMPLE, '--coverage-threshold', '1%')).code, 0)
  t.is((await ambit(...MESH, failing, '--coverage-threshold', '100')).code, 81)
  for (const wrong of ['x', '', '101', '-1'])
    t.is((await ambit(SAMPLE, `--coverage-threshold=${wrong}`)).code, 2, wrong)
})

test('what can not be understood: status 65, and nothing runs', async (t) => {
  const bad = join(folder, 'bad.yaml')
  await writeFile(bad, FAILING.replace('to: bookinfo/reviews', 'to: bookinfo/review'))
  const { code, out, err } = await ambit(...MESH, bad)
  t.deepEqual([code, out], [65, ''])
  t.is(err, `Error: ${bad}:7:5: there is no service or workload bookinfo/review; did you mean bookinfo/reviews?`)
  const broken = join(folder, 'broken.yaml')
  await writeFile(broken, `${FAILING}  - {\n`)
  const unread = await ambit(...MESH, broken)
  t.is(unread.code, 65)
  t.regex(unread.err, /^Error: \S+broken\.yaml:\d+:\d+: /)
})

test('documents that are no Kubernetes objects are an error, unless they are to be passed over', async (t) => {
  const other = join(folder, 'other')
  await mkdir(other)
  await writeFile(join(other, 'values.yaml'), 'replicas: 2\n')
  const refused = await ambit(...MESH, failing, other)
  t.is(refused.code, 65)
  t.regex(refused.err, /values\.yaml:1:1: this is no Kubernetes object/)
  const passed = await ambit(...MESH, failing, other, '--ignore-unknown')
  t.is(passed.code, 81)
  t.regex(passed.err, /^Skipping \S+values\.yaml:1, this is no Kubernetes object/)
  // A policy that can't be read is never passed over: what it denies would be allowed.
  const broken = join(folder, 'broken-policy.yaml')
  for (const text of ['kind: [\n', 'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nspec: {}\n']) {
    await writeFile(broken, text)
    const { code, out } = await ambit(...MESH, failing, broken, '--ignore-unknown')
    t.deepEqual([code, out], [65, ''])
  }
})

test('nothing to run is an error', async (t) => {
  const { code, err } = await ambit(...MESH)
  t.is(code, 1)
  t.regex(err, /^Error: there is no PolicyTest in /)
  t.is((await ambit()).code, 2)
  t.is((await ambit(join(folder, 'absent.yaml'))).code, 1)
})

test('a namespace that no manifest has is warned of', async (t) => {
  const lone = join(folder, 'lone.yaml')
  await writeFile(
    lone,
    `apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: lone }\nspec: { ports: [{ port: 80 }] }\n---\n${FAILING}`,
  )
  const { err } = await ambit(...MESH, lone)
  t.is(err, 'Warning: namespace lone is in no manifest: its pods are in the mesh only if they say so themselves')
})

test('--schema prints the schema; --watch is for people', async (t) => {
  const { code, out } = await ambit('--schema')
  t.is(code, 0)
  t.is((JSON.parse(out) as { title: string }).title, 'PolicyTest')
  t.is((await ambit(SAMPLE, '--watch', '-o', 'json')).code, 2)
  t.is((await ambit('-', '--watch')).code, 2)
})

test('--watch runs again on each change, tells what came out otherwise, and ends with Ctrl-C', async (t) => {
  const watched = join(folder, 'watched')
  await cp(SAMPLE, watched, { recursive: true })
  const tests = join(folder, 'watched-tests.yaml')
  await writeFile(tests, FAILING)
  const child = new Interruptible(['test', '--watch', watched, tests])
  try {
    await child.until(/91 cases: 1 failed, 90 as expected .*\n(?:.*\n)*Waiting for changes/, 'the first run')
    // A policy changes, in a folder.
    const policies = join(watched, 'policies/requests.yaml')
    const written = await readFile(policies, 'utf8')
    await writeFile(policies, written.replace('values: [moderation]', 'values: [inspection]'))
    await child.until(/fails now: wishes: a curator moderates\n(?:.*\n)*Waiting for changes/, 'a case fails')
    // As editors do it: a new file takes the place of the old one.
    await writeFile(`${policies}~`, written)
    await rename(`${policies}~`, policies)
    await child.until(/as expected now: wishes: a curator moderates\n(?:.*\n)*Waiting for changes/, 'it does no more')
    // A test changes, a file that was named.
    await writeFile(tests, FAILING.replace('expect: allow', 'expect: deny'))
    await child.until(/as expected now: wishes: a reader writes\n(?:.*\n)*Waiting for changes/, 'the test is mended')
    await writeFile(tests, `${FAILING}  - {`)
    await child.until(/Error: \S+watched-tests\.yaml:\d+:\d+: .*\n(?:.*\n)*Waiting for changes/, 'a mistake is told')
    await writeFile(tests, FAILING.replace('expect: allow', 'expect: deny'))
    await child.until(/no case came out otherwise than before\n(?:.*\n)*Waiting for changes/, 'and forgotten')
    t.is(await child.interrupt(), 0)
  } finally {
    await child[Symbol.asyncDispose]()
  }
})

/** The real program, which is interrupted as a terminal does it. */
class Interruptible implements AsyncDisposable {
  readonly #follower: Follower
  readonly #pid: Promise<number>

  constructor(args: readonly string[]) {
    // The shell tells its id and becomes the program.
    const line = [
      'echo "pid $$"; exec "$0" "$@"',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      MAIN,
      ...args,
    ]
    this.#follower = new Follower('sh', ['-c', ...line], { ...process.env, NO_COLOR: '1' })
    this.#pid = this.#follower
      .until((text) => /^pid \d+$/m.test(text), LIMIT_MS, 'it starts')
      .then((text) => Number(/^pid (\d+)$/m.exec(text)?.[1]))
  }

  async until(expected: RegExp, what: string): Promise<void> {
    await this.#follower.until((text) => expected.test(text), LIMIT_MS, what)
    this.#follower.forget()
  }

  async interrupt(): Promise<number> {
    process.kill(await this.#pid, 'SIGINT')
    return await this.#follower.exited
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#follower[Symbol.asyncDispose]()
  }
}

/** 100 policies on 20 services behind a waypoint. */
function largeMesh(): string {
  const documents: object[] = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'waypoint' } },
    },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'waypoint', namespace: 'shop' },
      spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
    },
  ]
  for (let i = 0; i < 20; i++) {
    const labels = { app: `s${i}` }
    const containers = [{ name: 'c', image: 'i', ports: [{ containerPort: 8080 }] }]
    documents.push(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: `s${i}`, namespace: 'shop' },
        spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: `s${i}`, namespace: 'shop' },
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { serviceAccountName: `a${i}`, containers } },
        },
      },
    )
    for (let j = 0; j < 5; j++)
      documents.push({
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: `p${i}-${j}`, namespace: 'shop' },
        spec: {
          targetRefs: [{ group: '', kind: 'Service', name: `s${i}` }],
          action: j === 4 ? 'DENY' : 'ALLOW',
          rules: [
            {
              from: [{ source: { principals: [`cluster.local/ns/shop/sa/a${(i + j) % 20}`] } }],
              to: [{ operation: { methods: [j === 4 ? 'DELETE' : 'GET'], paths: [`/p${j}/*`] } }],
              when: [{ key: 'request.headers[x-a]', notValues: ['b'] }],
            },
          ],
        },
      })
  }
  return documents.map((document) => JSON.stringify(document)).join('\n---\n')
}

/** 1,000 cases, each written out. */
function manyCases(): string {
  const cases = Array.from({ length: 1000 }, (_, k) => {
    const [client, service] = [k % 20, Math.floor(k / 20) % 20]
    const expect = (client - service + 20) % 20 === 1 ? 'allow' : 'deny'
    return `  - name: case ${k}\n    from: shop/a${client}\n    to: shop/s${service}\n    request: GET /p1/${k}\n    expect: ${expect}\n`
  })
  return `apiVersion: ambit.dev/v1\nkind: PolicyTest\nmetadata: { name: many }\ncases:\n${cases.join('')}`
}

/** Seconds of processor that the run of 1,000 cases over 100 policies may take; on an idle machine it takes about 1. */
const MAX_CPU_SECONDS = 4

test('1,000 cases over 100 policies, from the start of the process', async (t) => {
  const large = join(folder, 'large')
  await mkdir(large)
  await writeFile(join(large, 'mesh.yaml'), largeMesh())
  await writeFile(join(large, 'tests.yaml'), manyCases())
  const tell = `data:text/javascript,process.on('exit',()=>console.error(JSON.stringify(process.cpuUsage())))`
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    '--import',
    tell,
    MAIN,
    'test',
    large,
  ])
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const code = await new Promise((resolve) => child.once('close', resolve))
  t.is(code, 0, out + err)
  t.regex(out, /^1,000 cases: 1,000 as expected/m)
  const { user, system } = JSON.parse(err) as { user: number; system: number }
  const seconds = (user + system) / 1e6
  t.log(`${seconds.toFixed(2)} s of processor`)
  t.true(seconds < MAX_CPU_SECONDS, `${seconds} s`)
})
