import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeApiError } from '@ambit/kube'
import test from 'ava'
import { parse } from 'yaml'
import { readCluster } from '../src/analyze/read-cluster.ts'
import type { Cluster, ListQuery } from '../src/cluster/cluster.types.ts'
import { ClusterError } from '../src/errors.ts'
import { startTestMesh, type TestMesh } from './support/test-mesh.ts'

const NAMESPACE =
  'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { istio.io/dataplane-mode: ambient } }\n'
const SERVICE =
  'apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: shop }\nspec: { ports: [{ name: web, port: 80 }] }\n'
const POLICY = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: g, namespace: shop }
spec:
  gatewayClassName: nobody
  listeners: [{ name: http, port: 80, protocol: HTTP }]
`
const GOOD = `${NAMESPACE}---\n${SERVICE.replace('name: web, port', 'name: http, port')}`

let mesh: TestMesh
let folder: string

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'analyze-'))
  await mkdir(join(folder, 'all', 'below'), { recursive: true })
  await writeFile(join(folder, 'good.yaml'), GOOD)
  await writeFile(join(folder, 'bad.yaml'), `${NAMESPACE}---\n${POLICY}`)
  await writeFile(join(folder, 'broken.yaml'), `a: [1\n---\n${GOOD}`)
  await writeFile(join(folder, 'all', 'one.yaml'), NAMESPACE)
  await writeFile(join(folder, 'all', 'below', 'two.yml'), SERVICE)
  await writeFile(join(folder, 'all', 'notes.txt'), 'nothing')
  mesh = await startTestMesh()
  await mesh.must('apply', '-f', join(folder, 'good.yaml'))
})

test.after.always(async () => {
  await mesh?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const file = (name: string): string => join(folder, name)

test('a namespace of the cluster without issues, in istioctl’s words', async (t) => {
  const { code, out, err } = await mesh.ambit('analyze -n shop')
  t.is(code, 0)
  t.deepEqual(out, [])
  t.deepEqual(err, ['✔ No validation issues found when analyzing namespace: shop.'])
})

test('a namespace that is not there', async (t) => {
  const { code, err } = await mesh.ambit('analyze -n nowhere')
  t.is(code, 1)
  t.regex(err.join('\n'), /namespace "nowhere" not found/)
})

test('all namespaces', async (t) => {
  const { code, out } = await mesh.ambit('analyze --all-namespaces')
  t.is(code, 0)
  t.regex(out.join('\n'), /^Info \[IST0102\] \(Namespace default\) /m)
  t.notRegex(out.join('\n'), /kube-system/)
})

test('a file over the cluster: line, status 79, where to read on', async (t) => {
  const { code, out, err } = await mesh.ambit(`analyze -n shop ${file('bad.yaml')}`)
  t.is(code, 79)
  t.deepEqual(out, [
    `Error [IST0101] (Gateway shop/g ${file('bad.yaml')}:9) Referenced GatewayClass not found: "nobody"`,
  ])
  t.deepEqual(err.at(-1)?.split('\n'), [
    'Error: Analyzers found issues when analyzing namespace: shop.',
    'See https://istio.io/latest/docs/reference/config/analysis for more information about causes and resolutions.',
  ])
})

test('files only; folders with all in them', async (t) => {
  const one = await mesh.ambit(`analyze --use-kube=false ${file('good.yaml')}`)
  t.deepEqual([one.code, one.err], [0, [`✔ No validation issues found when analyzing ${file('good.yaml')}.`]])
  const all = await mesh.ambit(`analyze -R --use-kube=false -n shop ${file('all')}`)
  t.is(all.code, 0)
  t.deepEqual(all.out, [
    `Info [IST0118] (Service shop/web ${file('all/below/two.yml')}:4) Port name web (port: 80, targetPort: 80) doesn't follow the naming convention of Istio port.`,
  ])
  const none = await mesh.ambit('analyze --use-kube=false')
  t.is(none.code, 1)
  const wrong = await mesh.ambit(`analyze --use-kube=false ${file('all/notes.txt')}`)
  t.regex(wrong.err.join('\n'), /Skipping file .*notes\.txt/)
})

test('JSON and YAML', async (t) => {
  const json = await mesh.ambit(`analyze -n shop -o json ${file('bad.yaml')}`)
  t.is(json.code, 0)
  const expected = {
    code: 'IST0101',
    documentationUrl: 'https://istio.io/latest/docs/reference/config/analysis/ist0101/',
    level: 'Error',
    message: 'Referenced GatewayClass not found: "nobody"',
    origin: 'Gateway shop/g',
    reference: `${file('bad.yaml')}:9`,
  }
  t.deepEqual(JSON.parse(json.out.join('\n')), [expected])
  const yaml = await mesh.ambit(`analyze -n shop -o yaml ${file('bad.yaml')}`)
  t.deepEqual(parse(yaml.out.join('\n')), [expected])
  const empty = await mesh.ambit('analyze -n shop -o json')
  t.deepEqual(JSON.parse(empty.out.join('\n')), [])
})

test('thresholds', async (t) => {
  const all = `--use-kube=false -n shop ${file('all')}`
  t.is((await mesh.ambit(`analyze --failure-threshold info ${all}`)).code, 79)
  t.is((await mesh.ambit(`analyze --failure-threshold Warning ${all}`)).code, 0)
  const hidden = await mesh.ambit(`analyze --failure-threshold Info --output-threshold Error ${all}`)
  t.deepEqual([hidden.code, hidden.out], [79, []])
  t.is((await mesh.ambit(`analyze --failure-threshold Fatal ${all}`)).code, 2)
})

test('suppressions', async (t) => {
  const all = `--use-kube=false -n shop ${file('all')}`
  const run = (suppress: string): Promise<{ readonly code: number; readonly err: readonly string[] }> =>
    mesh.ambit(`analyze --failure-threshold Info ${suppress} ${all}`)
  t.is((await run('-S IST0118=*')).code, 0)
  t.is((await run('--suppress IST0118=*web.shop')).code, 0)
  t.is((await run('-S IST0118=*other')).code, 79)
  t.regex((await run('-S IST9999=*')).err.join('\n'), /unknown message code/)
  t.is((await run('-S IST0118')).code, 2)
})

test('a document that is none is told with its place, and status 65', async (t) => {
  const { code, err } = await mesh.ambit(`analyze --use-kube=false ${file('broken.yaml')}`)
  t.is(code, 65)
  t.regex(err.join('\n'), /broken\.yaml:\d+:\d+: /)
  t.regex(err.join('\n'), /No validation issues found .*\(but 1 document could not be parsed\)/)
  const ignored = await mesh.ambit(`analyze --use-kube=false --ignore-unknown ${file('broken.yaml')}`)
  t.is(ignored.code, 0)
})

test('analyzers are listed and chosen', async (t) => {
  const { out } = await mesh.ambit('analyze -L')
  t.true(out.length > 30)
  t.regex(out.join('\n'), /^conditions\.ConditionAnalyzer {2,}/m)
  const one = await mesh.ambit(
    `analyze -v --use-kube=false -n shop --analyzer service.PortNameAnalyzer ${file('bad.yaml')}`,
  )
  t.is(one.code, 0)
  t.regex(one.err.join('\n'), /Executed analyzers:\n\t service\.PortNameAnalyzer/)
  t.is((await mesh.ambit('analyze --analyzer nobody')).code, 2)
})

/** Lets the caller see Services of one namespace and nothing else. */
class NarrowCluster implements Pick<Cluster, 'list' | 'read'> {
  list({ kind, namespace }: ListQuery): ReturnType<Cluster['list']> {
    if (kind === 'Service' && namespace === 'shop') return Promise.resolve([{ metadata: { name: 'web', namespace } }])
    return Promise.reject(forbidden())
  }

  read(): ReturnType<Cluster['read']> {
    return Promise.reject(forbidden())
  }
}

function forbidden(): ClusterError {
  return new ClusterError('no', { cause: new KubeApiError('no', 403, 'Forbidden') })
}

test('a right that is missing is said, with what is left out', async (t) => {
  const asked = { namespace: 'shop', istioNamespace: 'istio-system', files: [] }
  const { objects, coverage, notes } = await readCluster(new NarrowCluster() as unknown as Cluster, asked)
  t.deepEqual(
    objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ['Service web'],
  )
  t.deepEqual(coverage.get('core/Service'), new Set(['shop']))
  t.deepEqual(coverage.get('core/Pod'), new Set())
  const said = notes.join('\n')
  t.regex(said, /no right to list services of all namespaces: only those of shop are looked at/)
  t.regex(said, /no right to list pods, not even those of shop: left out: selectors and subsets/)
  t.regex(said, /no right to list namespaces: left out: IST0102/)
  t.regex(said, /no right to get configmap istio in istio-system/)
})

test('levels in colour', async (t) => {
  const { out } = await mesh.ambit(`analyze --color --use-kube=false -n shop ${file('bad.yaml')} ${file('all')}`)
  t.notRegex(out.join('\n'), /^Info.*\u001b/m)
  t.regex(
    (await mesh.ambit(`analyze --color -n shop ${file('bad.yaml')}`)).out.join('\n'),
    /^\u001b\[31mError\u001b\[0m \[IST0101\]/,
  )
})
