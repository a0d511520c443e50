import type { ValueMap } from './value.ts'

/** What `Chart.yaml` says, as far as a rendering needs it. */
export interface ChartMetadata {
  readonly name: string
  readonly version: string
  readonly appVersion: string
  readonly description: string
  readonly type: string
  readonly kubeVersion: string
}

export interface Chart {
  readonly metadata: ChartMetadata
  /** `values.yaml` */
  readonly values: ValueMap
  /** Files below `templates/`, by path from the chart's folder. */
  readonly templates: ReadonlyMap<string, string>
  /** Files below `crds/`, which are applied as they are. */
  readonly crds: ReadonlyMap<string, string>
  /** All other files, for `.Files`. */
  readonly files: ReadonlyMap<string, string>
  readonly dependencies: readonly Dependency[]
}

export interface Dependency {
  /** Name of its values in the parent: the alias, else the chart's name. */
  readonly name: string
  readonly chart: Chart
  /** Paths in the parent's values; the first that is set decides. */
  readonly conditions: readonly string[]
  readonly tags: readonly string[]
}

/** How a chart's folder is read. */
export interface ChartFiles {
  readonly readFile: (path: string) => Promise<string>
  /** All files below a folder, with paths from it; a folder that is not there has none. */
  readonly listFiles: (folder: string) => Promise<readonly string[]>
}

export interface Release {
  readonly name: string
  readonly namespace: string
  readonly isUpgrade?: boolean
  /** What renders and applies, the label `app.kubernetes.io/managed-by`; Helm says `Helm`. */
  readonly service: string
  readonly revision?: number
}

export interface Capabilities {
  /** `v1.33.1` */
  readonly kubeVersion: string
  /** `apps/v1`, `apps/v1/Deployment` */
  readonly apiVersions: readonly string[]
}

export interface RenderedFile {
  /** `chart/templates/file.yaml` */
  readonly path: string
  readonly text: string
}
