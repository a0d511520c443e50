import test from 'ava'
import * as fc from 'fast-check'
import {
  type Chart,
  type ChartFiles,
  coalesceValues,
  fromPlain,
  fromYaml,
  loadChart,
  manifestObjects,
  renderChart,
  toPlain,
  toYaml,
  type ValueMap,
} from '../src/index.ts'

function filesOf(tree: Readonly<Record<string, string>>): ChartFiles {
  return {
    readFile: (path) => Promise.resolve(tree[path] ?? ''),
    listFiles: (folder) =>
      Promise.resolve(
        Object.keys(tree)
          .filter((path) => path.startsWith(`${folder}/`))
          .map((path) => path.slice(folder.length + 1)),
      ),
  }
}

const OPTIONS = {
  release: { name: 'rel', namespace: 'ns', service: 'Helm' },
  capabilities: { kubeVersion: 'v1.33.1', apiVersions: ['apps/v1'] },
}

function outputs(chart: Chart, values: unknown = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(
    renderChart(chart, { ...OPTIONS, values: fromPlain(values) }).map(({ path, text }) => [path, text.trim()]),
  )
}

const CHART = 'apiVersion: v2\nname: top\nversion: 1.2.3+x\nappVersion: "9"\n'

test('a template sees release, chart, capabilities, files and values', async (t) => {
  const chart = await loadChart(
    'c',
    filesOf({
      'c/Chart.yaml': CHART,
      'c/values.yaml': 'a: 1\nb: {c: x}\n',
      'c/files/note.txt': 'hello',
      'c/templates/_help.tpl': '{{ define "n" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}',
      'c/templates/a.yaml':
        '{{ include "n" . }} {{ .Release.Namespace }} {{ .Release.Service }} {{ .Release.IsUpgrade }} {{ .Chart.Version }} {{ .Chart.AppVersion }} {{ .Template.Name }}',
      'c/templates/b.yaml':
        '{{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.KubeVersion }} {{ .Capabilities.APIVersions.Has "apps/v1" }} {{ .Files.Get "files/note.txt" }}{{ range $p, $_ := .Files.Glob "files/*" }} {{ $p }}{{ end }}',
      'c/templates/c.yaml': '{{ .Values.a }} {{ .Values.b.c }} {{ .Values.b.d }}',
      'c/templates/NOTES.txt': 'not applied',
      'c/templates/none.yaml': '{{ if false }}x{{ end }}\n',
    }),
  )
  t.deepEqual(outputs(chart, { b: { d: 'y' } }), {
    'top/templates/a.yaml': 'rel-top ns Helm false 1.2.3+x 9 top/templates/a.yaml',
    'top/templates/b.yaml': '33 v1.33.1 true hello files/note.txt',
    'top/templates/c.yaml': '1 x y',
  })
})

test('templates share a root and run from the last name to the first', async (t) => {
  const chart = await loadChart(
    'c',
    filesOf({
      'c/Chart.yaml': CHART,
      'c/values.yaml': 'inner: {a: 1, b: 2}',
      'c/templates/a.yaml': '{{ .Values.a }}{{ .Values.b }}',
      'c/templates/zzz.yaml':
        '{{ $d := .Values.inner }}{{ $_ := unset .Values "inner" }}{{ $_ := set . "Values" (mergeOverwrite $d .Values) }}',
    }),
  )
  t.is(outputs(chart, { b: 3 })['top/templates/a.yaml'], '13')
  t.is(outputs(chart)['top/templates/a.yaml'], '12', 'one rendering leaves nothing for the next')
})

test('dependencies have their own values under their name, and the global ones', async (t) => {
  const files = {
    'c/Chart.yaml': `${CHART}dependencies:\n- {name: sub, version: 1.0.0, repository: "file://../sub", condition: sub.on}\n- {name: sub, alias: other, version: 1.0.0, repository: "file://../sub"}\n`,
    'c/values.yaml': 'global: {g: G}\nsub: {v: parent}\n',
    'c/templates/a.yaml': '{{ .Values.sub.v }}',
    'sub/Chart.yaml': 'name: sub\nversion: 1.0.0\n',
    'sub/values.yaml': 'v: own\nw: W\n',
    'sub/templates/s.yaml': '{{ .Chart.Name }} {{ .Values.v }} {{ .Values.w }} {{ .Values.global.g }}',
  }
  const chart = await loadChart('c', filesOf(files))
  t.deepEqual(outputs(chart, { other: { v: 'user' } }), {
    'top/charts/other/templates/s.yaml': 'other user W G',
    'top/charts/sub/templates/s.yaml': 'sub parent W G',
    'top/templates/a.yaml': 'parent',
  })
  t.false('top/charts/sub/templates/s.yaml' in outputs(chart, { sub: { on: false } }))
  await t.throwsAsync(
    loadChart('c', filesOf({ 'c/Chart.yaml': files['c/Chart.yaml'].replaceAll('file://', 'https://') })),
    {
      code: 'CHART_LOAD',
      message: /not at hand/,
    },
  )
})

test('what is missing or no YAML is told with its path', async (t) => {
  await t.throwsAsync(loadChart('c', filesOf({})), { code: 'CHART_LOAD', message: /c has no Chart\.yaml/ })
  await t.throwsAsync(loadChart('c', filesOf({ 'c/Chart.yaml': 'name: x' })), { message: /lacks name or version/ })
  await t.throwsAsync(loadChart('c', filesOf({ 'c/Chart.yaml': CHART, 'c/values.yaml': 'a: [' })), {
    message: /c\/values\.yaml: no valid YAML/,
  })
  const field = await loadChart('c', filesOf({ 'c/Chart.yaml': CHART, 'c/templates/a.yaml': '\n{{ .Chart.Nope }}' }))
  t.throws(() => outputs(field), { message: 'top/templates/a.yaml:2: Chart has no field or method Nope' })
  t.throws(() => manifestObjects([{ path: 'x.yaml', text: 'kind: Pod' }]), { message: /x\.yaml .* without apiVersion/ })
  t.throws(() => manifestObjects([{ path: 'x.yaml', text: 'a: [' }]), { message: /x\.yaml/ })
})

test('null takes a default away', (t) => {
  const chart: Chart = {
    metadata: { name: 'c', version: '1', appVersion: '', description: '', type: '', kubeVersion: '' },
    values: fromPlain({ a: 1, b: { c: 2, d: 3 } }) as ValueMap,
    templates: new Map(),
    crds: new Map(),
    files: new Map(),
    dependencies: [],
  }
  t.deepEqual(toPlain(coalesceValues(chart, fromPlain({ b: { c: null } }) as ValueMap)), { a: 1, b: { d: 3 } })
})

test('objects come in Helm’s order of installation', (t) => {
  const object = (kind: string): string => `apiVersion: v1\nkind: ${kind}\nmetadata: {name: x}\n`
  const text = ['Deployment', 'Unheard', 'ConfigMap', 'DaemonSet', 'Namespace'].map(object).join('---\n')
  const kinds = manifestObjects([{ path: 'x', text }]).map(({ kind }) => kind)
  t.deepEqual(kinds, ['Namespace', 'ConfigMap', 'DaemonSet', 'Deployment', 'Unheard'])
})

test('YAML that is written reads back the same', (t) => {
  const leaf = fc.oneof(
    fc.string(),
    fc.constantFrom('yes', 'no', 'on', '1e3', '0x1', '1_000', '12:30:45', '~', '- a', 'a: b', '#x', '', ' x '),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }))
  fc.assert(
    fc.property(value, (plain) => {
      const sorted = toPlain(fromPlain(plain))
      t.deepEqual(toPlain(fromYaml(toYaml(fromPlain(plain)))), sorted)
    }),
    { numRuns: 1_000 },
  )
})
