import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { startTestMesh, type TestMesh } from './support/test-mesh.ts'

const SHOP = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web, ports: [{ containerPort: 8080 }] }] }
`

function policy(name: string, spec: object, kind = 'AuthorizationPolicy'): string {
  return JSON.stringify({ apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'shop' }, spec })
}

const only = (namespace: string): object => ({
  action: 'ALLOW',
  rules: [{ from: [{ source: { namespaces: [namespace] } }] }],
})

const HEADER =
  '{"kind":"header","format":"ambit.flows/v1","startedAt":"2026-11-21T18:00:00.000Z","namespaces":[],"reads":{"headers":[],"claims":[]}}'
const FLOW = JSON.stringify({
  kind: 'flow',
  judge: 'ztunnel',
  client: { identity: 'spiffe://cluster.local/ns/zoo/sa/lion' },
  service: { namespace: 'shop', hostname: 'web.shop.svc.cluster.local', port: 80 },
  outcome: 'allowed',
  count: 41,
  firstSeen: '2026-11-21T18:00:00.000Z',
  lastSeen: '2026-11-21T18:01:00.000Z',
})

let mesh: TestMesh
let folder: string

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diff-'))
  await mkdir(join(folder, 'now'))
  await mkdir(join(folder, 'empty'))
  const files: Readonly<Record<string, string>> = {
    'now/shop.yaml': SHOP,
    'now/old.yaml': policy('old', only('shop')),
    'same.yaml': policy('old', only('shop')),
    'zoo.yaml': policy('zoo', only('zoo')),
    'other.yaml': policy('old', only('zoo')),
    'broken.yaml': `${policy('a', only('zoo'))}\n---\nspec: [\n`,
    'refused.yaml': `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: wrong, namespace: shop }
spec:
  action: ALLOW
  rules:
    - from: []
      to: [{ operation: {} }]
`,
    'flows.jsonl': `${HEADER}\n${FLOW}\n`,
    'old.jsonl': HEADER.replace('flows/v1', 'flows/v0'),
    'notes.txt': 'nothing',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  mesh = await startTestMesh()
})

test.after.always(async () => {
  await mesh?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** `@` stands for the folder. */
const diff = (line: string): ReturnType<TestMesh['ambit']> => mesh.ambit(`diff ${line.replaceAll('@', folder)}`)

test('what is there already changes nothing: code 0', async (t) => {
  const { code, out, err } = await diff('--against @/now -f @/same.yaml')
  t.is(code, 0)
  t.deepEqual(err, [])
  t.true(out.includes('Nothing changes: everybody may do what they could before.'))
})

test('what lets in or keeps out somebody has a code of its own, and --fail-on chooses which', async (t) => {
  const added = await diff('--against @/now -f @/zoo.yaml')
  t.is(added.code, 80)
  t.deepEqual(added.out.slice(0, 4), [
    'AuthorizationPolicy shop/zoo added',
    '',
    'Newly allowed',
    '  service shop/web:80, workload shop/web',
  ])
  t.is((await diff('--against @/now -f @/zoo.yaml --fail-on denied')).code, 0)
  t.is((await diff('--against @/now -f @/zoo.yaml --fail-on allowed')).code, 80)
  const changed = await diff('--against @/now -f @/other.yaml')
  t.is(changed.code, 80)
  t.true(changed.out.includes('Newly denied') && changed.out.includes('Newly allowed'))
})

test('no change where not everything could be looked at is not the same as none', async (t) => {
  const rules = Array.from({ length: 10 }, (_, i) => ({ when: [{ key: `request.headers[x-${i}]`, values: ['a'] }] }))
  const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' }]
  // Nothing is behind the waypoint, so nothing changes; but not every combination can be asked about.
  await writeFile(join(folder, 'many.yaml'), policy('many', { targetRefs, action: 'ALLOW', rules }))
  const { code, out } = await diff('--against @/now -f @/many.yaml')
  t.is(code, 75, out.join('\n'))
  t.true(out.includes('No change was found, in what was looked at.'))
})

test('an object that goes, by its name; one that is not there is an error', async (t) => {
  const gone = await diff('--against @/now --delete AuthorizationPolicy/shop/old')
  t.is(gone.code, 80)
  t.true(gone.out.includes('AuthorizationPolicy shop/old removed'))
  const missing = await diff('--against @/now --delete AuthorizationPolicy/shop/older')
  t.is(missing.code, 1)
  t.regex(missing.err.join(), /there is no AuthorizationPolicy\/shop\/older to delete/)
  const odd = await diff('--against @/now --delete older')
  t.is(odd.code, 2)
  t.regex(odd.err.join(), /--delete is KIND\/NAMESPACE\/NAME/)
})

test('with --prune the files are the whole state of policies; -n keeps it to a namespace', async (t) => {
  const pruned = await diff('--against @/now -f @/zoo.yaml --prune')
  t.true(pruned.out.includes('AuthorizationPolicy shop/old removed'))
  const kept = await diff('--against @/now -f @/zoo.yaml --prune -n zoo')
  t.false(kept.out.join('\n').includes('removed'))
})

test('-o json is one object, -o markdown a comment', async (t) => {
  const json = await diff('--against @/now -f @/zoo.yaml -o json')
  const { format, regions } = JSON.parse(json.out.join('\n')) as {
    readonly format: string
    readonly regions: readonly { readonly change: string }[]
  }
  t.deepEqual([format, regions.map(({ change }) => change)], ['ambit.diff/v1', ['allowed']])
  const markdown = await diff('--against @/now -f @/zoo.yaml -o markdown')
  t.is(markdown.out[0], '## Policies: what changes')
})

test('recorded flows are asked about as well', async (t) => {
  const { code, out } = await diff('--against @/now -f @/zoo.yaml --flows @/flows.jsonl')
  t.is(code, 80)
  t.true(
    out.some((line) => line.includes('of 41, 0 newly denied, 41 newly allowed, 0 unchanged')),
    out.join('\n'),
  )
  t.true(out.includes('    41  zoo/lion to service shop/web:80'))
  t.true(out.includes('! the recording has no end: it was cut short, and counts may be too low'))
})

test('a document that is no object, with its place: nothing is compared', async (t) => {
  const { code, out, err } = await diff('--against @/now -f @/broken.yaml')
  t.deepEqual([code, out], [65, []])
  t.regex(err[0] ?? '', /^Error: .*broken\.yaml:[34]:\d+: /)
})

test('a policy that the control plane would refuse, with its place', async (t) => {
  const { code, out, err } = await diff('--against @/now -f @/refused.yaml')
  t.deepEqual([code, out], [65, []])
  t.regex(err.join('\n'), /refused\.yaml:[78]:\d+: AuthorizationPolicy shop\/wrong: /)
})

test('a recording of another version', async (t) => {
  const { code, out, err } = await diff('--against @/now -f @/zoo.yaml --flows @/old.jsonl')
  t.deepEqual([code, out], [65, []])
  t.regex(err.join(), /old\.jsonl: line 1: an older version wrote it \(ambit\.flows\/v0/)
})

test('files that are not there, or are of another kind', async (t) => {
  t.regex((await diff('--against @/nowhere -f @/zoo.yaml')).err.join(), /nowhere is neither a folder nor a file/)
  t.is((await diff('--against @/now -f @/notes.txt')).code, 65)
  t.is((await diff('--against @/now -f @/missing.yaml')).code, 1)
  t.regex(
    (await diff('--against @/now -f @/zoo.yaml --flows @/missing.jsonl')).err.join(),
    /cannot read .*missing\.jsonl/,
  )
})

test('a line that changes nothing is not understood', async (t) => {
  t.deepEqual([(await diff('')).code, (await diff('--delete A/b/c --prune')).code], [2, 2])
})

test.serial('against a cluster: what it has, and what of it is asked for by name', async (t) => {
  const { out: fresh, code } = await diff(`-f ${join(folder, 'now')}`)
  t.is(code, 0)
  t.true(fresh.includes('! service shop/web:80 is not there before and after: it is not compared'), fresh.join('\n'))
  await mesh.must('apply', '-f', join(folder, 'now', 'shop.yaml'))
  const { out } = await diff('-f @/zoo.yaml -o json')
  const told = parse(out.join('\n')) as { readonly objects: readonly object[] }
  t.deepEqual(told.objects, [{ change: 'added', kind: 'AuthorizationPolicy', name: 'shop/zoo' }])
})
