import { matchesGlob } from 'node:path'
import type { Capabilities, Chart, Release, RenderedFile } from './chart.types.ts'
import { coalesceValues, isEnabled } from './coalesce-values.ts'
import { ALL_FUNCTIONS } from './functions/all-functions.ts'
import { TemplateRunner } from './template/execute-template.ts'
import type { Templates } from './template/nodes.types.ts'
import { parseTemplate } from './template/parse-template.ts'
import { compareText, fromPlain, Struct, toText, type Value, type ValueMap } from './value.ts'
import { toYaml } from './yaml-text.ts'

export interface RenderOptions {
  /** Over the chart's own. */
  readonly values: Value
  readonly release: Release
  readonly capabilities: Capabilities
}

/** The rendered templates of a chart and of those it depends on, empty ones left out, by path. */
export function renderChart(chart: Chart, options: RenderOptions): readonly RenderedFile[] {
  const given: ValueMap = options.values instanceof Map ? options.values : new Map()
  const templates: Templates = new Map()
  const roots = new Map<string, ValueMap>()
  collect(chart, coalesceValues(chart, given), '', options, templates, roots)
  const runner = new TemplateRunner({ templates, functions: ALL_FUNCTIONS, parseText: parseApart })
  const rendered: RenderedFile[] = []
  for (const [path, root] of renderingOrder(roots)) {
    if (isPartial(path)) continue
    const base = path.slice(0, path.indexOf('/templates/') + '/templates'.length)
    root.set(
      'Template',
      new Map<string, Value>([
        ['Name', path],
        ['BasePath', base],
      ]),
    )
    const text = runner.run(path, root)
    if (text.trim() !== '' && !path.endsWith('NOTES.txt')) rendered.push({ path, text })
  }
  return rendered.toSorted((a, b) => compareText(a.path, b.path))
}

/** Templates of one chart share one root, which they may change; so the order they run in is Helm's: deepest and last first. */
function renderingOrder(roots: ReadonlyMap<string, ValueMap>): readonly (readonly [string, ValueMap])[] {
  const depth = (path: string): number => path.split('/').length
  return [...roots].toSorted(([a], [b]) => depth(b) - depth(a) || compareText(b, a))
}

function collect(
  chart: Chart,
  values: ValueMap,
  parent: string,
  options: RenderOptions,
  templates: Templates,
  roots: Map<string, ValueMap>,
): Value {
  const prefix = `${parent}${chart.metadata.name}`
  const root: ValueMap = new Map<string, Value>([
    ['Values', values],
    ['Release', releaseOf(options.release)],
    ['Chart', chartOf(chart)],
    ['Capabilities', capabilitiesOf(options.capabilities)],
    ['Files', filesOf(chart.files)],
  ])
  const subcharts: ValueMap = new Map()
  for (const dependency of chart.dependencies) {
    if (!isEnabled(values, dependency.conditions, dependency.tags)) continue
    const own = values.get(dependency.name)
    const below: ValueMap = own instanceof Map ? own : new Map()
    const renamed = { ...dependency.chart, metadata: { ...dependency.chart.metadata, name: dependency.name } }
    subcharts.set(dependency.name, collect(renamed, below, `${prefix}/charts/`, options, templates, roots))
  }
  root.set('Subcharts', subcharts)
  for (const [path, text] of chart.templates) {
    const name = `${prefix}/${path}`
    parseTemplate(text, name, templates)
    roots.set(name, root)
  }
  return root
}

function isPartial(path: string): boolean {
  return path.slice(path.lastIndexOf('/') + 1).startsWith('_') || !/\.(ya?ml|txt|json)$/.test(path)
}

function parseApart(text: string, name: string, known: Templates): Templates {
  const templates: Templates = new Map(known)
  parseTemplate(text, name, templates)
  return templates
}

function releaseOf(release: Release): Value {
  return fromPlain({
    Name: release.name,
    Namespace: release.namespace,
    IsUpgrade: release.isUpgrade ?? false,
    IsInstall: !(release.isUpgrade ?? false),
    Revision: BigInt(release.revision ?? 1),
    Service: release.service,
  })
}

function chartOf(chart: Chart): Struct {
  const { name, version, appVersion, description, type, kubeVersion } = chart.metadata
  return new Struct('Chart', {
    fields: {
      Name: name,
      Version: version,
      AppVersion: appVersion,
      Description: description,
      Type: type,
      KubeVersion: kubeVersion,
      IsRoot: true,
    },
  })
}

function capabilitiesOf(capabilities: Capabilities): Struct {
  const [, major = '1', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(capabilities.kubeVersion) ?? []
  const version = new Struct('KubeVersion', {
    fields: { Version: capabilities.kubeVersion, Major: major, Minor: minor },
    methods: { GitVersion: () => capabilities.kubeVersion, String: () => capabilities.kubeVersion },
    content: capabilities.kubeVersion,
  })
  const apiVersions = new Struct('VersionSet', {
    methods: { Has: (wanted) => capabilities.apiVersions.includes(toText(wanted ?? null)) },
    content: [...capabilities.apiVersions],
  })
  return new Struct('Capabilities', { fields: { KubeVersion: version, APIVersions: apiVersions } })
}

/** `.Files`: what of the chart is no template. A file that is not there is empty text, as with Helm. */
function filesOf(files: ReadonlyMap<string, string>): Struct {
  const name = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  const get = (path: Value | undefined): string => files.get(toText(path ?? null)) ?? ''
  const map = (convert: (text: string) => string): ValueMap =>
    new Map([...files].map(([path, text]) => [name(path), convert(text)] as const))
  return new Struct('files', {
    content: new Map(files),
    methods: {
      Get: get,
      GetBytes: get,
      Lines: (path) => get(path).replace(/\n$/, '').split('\n'),
      Glob: (glob) => filesOf(new Map([...files].filter(([path]) => matchesGlob(path, toText(glob ?? null))))),
      AsConfig: () => (files.size === 0 ? '' : toYaml(map((text) => text))),
      AsSecrets: () => (files.size === 0 ? '' : toYaml(map((text) => Buffer.from(text).toString('base64')))),
    },
  })
}
