import type { FileProblem, Sourced } from '@ambit/analyze'
import { AmbitError } from '@ambit/core'
import { MeshModel, MODEL_KINDS } from '@ambit/explain'
import { refusedObjects } from '@ambit/policy-diff'
import { readKinds, readMeshConfig } from '../analyze/read-cluster.ts'
import { readFiles } from '../analyze/read-files.ts'
import type { Cluster } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'

/** Something in the files is no object of Kubernetes, or one that the control plane refuses. */
export class UnreadableFilesError extends AmbitError {
  override readonly code = 'CLI_UNREADABLE_FILES'

  constructor(problems: readonly FileProblem[]) {
    super(problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`).join('\n'))
  }
}

export interface MeshRead {
  readonly model: MeshModel
  /** Rights that are missing, and what answers leave out for it. */
  readonly notes: readonly string[]
}

export interface MeshSources {
  /** Absent: files alone. */
  readonly cluster?: Cluster | undefined
  readonly files: readonly string[]
  /** Of objects without one, and of kinds that may not be listed everywhere. */
  readonly namespace: string
  readonly istioNamespace: string
  /** A file with the mesh's settings, instead of the cluster's. */
  readonly meshConfigFile?: string | undefined
}

/** The mesh of a cluster, of files, or of the cluster with the files laid over it. Reads and changes nothing. */
export async function readMesh(
  context: Pick<Context, 'readFile' | 'listFolder'>,
  sources: MeshSources,
): Promise<MeshRead> {
  const { cluster, namespace, istioNamespace, meshConfigFile } = sources
  const files = await readFiles(context, sources.files, namespace)
  const problems = [...files.problems, ...refusedObjects(files.objects)]
  // A policy that is left out, or read otherwise than it was meant, would make the answer wrong.
  if (problems.length > 0) throw new UnreadableFilesError(problems)
  const there = cluster && (await readKinds(cluster, MODEL_KINDS, namespace))
  const settings = cluster && meshConfigFile === undefined ? await readMeshConfig(cluster, istioNamespace) : {}
  const text = meshConfigFile === undefined ? settings.text : await context.readFile(meshConfigFile)
  const notes = [...(there?.notes ?? []), ...(settings.note === undefined ? [] : [settings.note])]
  const ofCluster = (there?.objects ?? []).map((object): Sourced => ({ object }))
  const model = MeshModel.of({
    objects: [...ofCluster, ...files.objects],
    meshConfig: text,
    rootNamespace: istioNamespace,
    gaps: [...notes, ...files.skipped.map((path) => `${path} is not read: it is neither JSON nor YAML`)],
  })
  return { model, notes }
}
