import { basename, join } from 'node:path'
import { messageOf } from '@ambit/core'
import type { Chart, ChartFiles, ChartMetadata, Dependency } from './chart.types.ts'
import { ChartError } from './errors.ts'
import { MAX_CHART_FILE_BYTES, MAX_DEPENDENCY_DEPTH } from './limits.ts'
import { toText, type Value, type ValueMap } from './value.ts'
import { fromYaml } from './yaml-text.ts'

/** Reads a chart from its folder, with the charts it depends on: those in `charts/`, and those of a `file://` repository. */
export async function loadChart(folder: string, files: ChartFiles, depth = 0): Promise<Chart> {
  if (depth > MAX_DEPENDENCY_DEPTH)
    throw new ChartError(`${folder}: charts depend on each other more than ${MAX_DEPENDENCY_DEPTH} deep`)
  const all = (await files.listFiles(folder)).toSorted()
  if (!all.includes('Chart.yaml')) throw new ChartError(`${folder} has no Chart.yaml`)
  const read = async (path: string): Promise<string> => {
    const text = await files.readFile(join(folder, path))
    if (text.length > MAX_CHART_FILE_BYTES)
      throw new ChartError(`${join(folder, path)} exceeds ${MAX_CHART_FILE_BYTES} bytes`)
    return text
  }
  const described = mapOf(parse(await read('Chart.yaml'), join(folder, 'Chart.yaml')))
  const group = async (wanted: (path: string) => boolean): Promise<ReadonlyMap<string, string>> =>
    new Map(await Promise.all(all.filter(wanted).map(async (path) => [path, await read(path)] as const)))
  const isSpecial = (path: string): boolean =>
    ['Chart.yaml', 'Chart.lock', 'values.yaml', '.helmignore'].includes(path) || /^(templates|charts|crds)\//.test(path)
  return {
    metadata: metadataOf(described, folder),
    values: all.includes('values.yaml')
      ? mapOf(parse(await read('values.yaml'), join(folder, 'values.yaml')))
      : new Map(),
    templates: await group((path) => path.startsWith('templates/')),
    crds: await group((path) => path.startsWith('crds/')),
    files: await group((path) => !isSpecial(path)),
    dependencies: await dependenciesOf(described, folder, all, files, depth),
  }
}

function metadataOf(described: ValueMap, folder: string): ChartMetadata {
  const text = (name: string): string => toText(described.get(name) ?? '')
  if (text('name') === '' || text('version') === '') throw new ChartError(`${folder}/Chart.yaml lacks name or version`)
  return {
    name: text('name'),
    version: text('version'),
    appVersion: text('appVersion'),
    description: text('description'),
    type: text('type'),
    kubeVersion: text('kubeVersion'),
  }
}

async function dependenciesOf(
  described: ValueMap,
  folder: string,
  all: readonly string[],
  files: ChartFiles,
  depth: number,
): Promise<readonly Dependency[]> {
  const declared = listOf(described.get('dependencies')).map(mapOf)
  const inside = [...new Set(all.flatMap((path) => /^charts\/([^/]+)\/Chart\.yaml$/.exec(path)?.[1] ?? []))]
  const named = declared.map(async (one): Promise<Dependency> => {
    const name = toText(one.get('name') ?? '')
    const repository = toText(one.get('repository') ?? '')
    const from = inside.includes(name)
      ? join(folder, 'charts', name)
      : repository.startsWith('file://')
        ? join(folder, repository.slice('file://'.length))
        : undefined
    if (from === undefined) {
      throw new ChartError(`${folder} depends on ${name} of ${repository || 'charts/'}, which is not at hand`)
    }
    return {
      name: toText(one.get('alias') ?? null) || name,
      chart: await loadChart(from, files, depth + 1),
      conditions: toText(one.get('condition') ?? '')
        .split(',')
        .map((path) => path.trim())
        .filter((path) => path !== ''),
      tags: listOf(one.get('tags')).map(toText),
    }
  })
  const others = inside.filter((name) => !declared.some((one) => toText(one.get('name') ?? '') === name))
  const undeclared = others.map(async (name): Promise<Dependency> => {
    const chart = await loadChart(join(folder, 'charts', name), files, depth + 1)
    return { name: basename(name), chart, conditions: [], tags: [] }
  })
  return await Promise.all([...named, ...undeclared])
}

function parse(text: string, path: string): Value {
  try {
    return fromYaml(text)
  } catch (cause) {
    throw new ChartError(`${path}: ${messageOf(cause)}`, { cause })
  }
}

function mapOf(value: Value | undefined): ValueMap {
  return value instanceof Map ? value : new Map()
}

function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? value : []
}
