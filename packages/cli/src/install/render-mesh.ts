import { join } from 'node:path'
import { type Chart, loadChart, type ManifestObject, manifestObjects, renderChart, type ValueMap } from '@ambit/chart'
import type { Context } from '../context.types.ts'
import { chartFiles } from './chart-folder.ts'
import { componentValues } from './component-values.ts'
import { COMPONENTS, type Component } from './components.ts'
import { knownValues, refuseUnknownValues } from './known-values.ts'
import { refuseWrongMesh } from './mesh-settings.ts'
import { type ComponentRequest, type InstallSettings, mapAt } from './settings.ts'

/** A component as it is going to be applied. */
export interface RenderedComponent {
  readonly component: Component
  readonly requests: readonly { readonly request: ComponentRequest; readonly values: ValueMap }[]
  readonly objects: readonly ManifestObject[]
}

export interface RenderTarget {
  /** `deploy` folder: charts and profiles. */
  readonly folder: string
  /** `v1.33.1` */
  readonly kubeVersion: string
  /** Values that no chart knows are let through. */
  readonly force: boolean
}

/** What is assumed where no cluster is asked: the oldest Kubernetes that is supported. */
export const DEFAULT_KUBE_VERSION = 'v1.32.0'
/** Release name of everything `install` applies, as istioctl has it. */
const RELEASE = 'istio'

/** The objects of an installation, component by component. */
export async function renderMesh(
  settings: InstallSettings,
  target: RenderTarget,
  files: Pick<Context, 'readFile' | 'listFolder'>,
): Promise<readonly RenderedComponent[]> {
  const names = [...new Set(COMPONENTS.map(({ chart }) => chart))]
  const access = chartFiles(files)
  const charts = new Map<string, Chart>()
  for (const name of names) charts.set(name, await loadChart(join(target.folder, 'charts', name), access))
  if (!target.force) {
    refuseUnknownValues(settings.userValues, knownValues(charts))
    refuseWrongMesh(mapAt(settings.userValues, 'meshConfig'))
  }
  return COMPONENTS.flatMap((component) => {
    const chart = charts.get(component.chart)
    const wanted = settings.requests.filter((request) => request.component === component)
    if (chart === undefined || wanted.length === 0) return []
    const requests = wanted.map((request) => ({ request, values: componentValues(request, settings) }))
    const objects = requests.flatMap(({ request, values }) =>
      manifestObjects(
        renderChart(chart, {
          values,
          release: { name: RELEASE, namespace: request.namespace, service: 'Helm' },
          capabilities: { kubeVersion: target.kubeVersion, apiVersions: [] },
        }),
      ),
    )
    return [{ component, requests, objects }]
  })
}
