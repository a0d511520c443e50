import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { ClusterObject } from '../cluster/cluster.types.ts'
import { DecodeError } from '../errors.ts'
import { asObject, asText } from '../json.ts'

/** One step of the install: what is applied together, and the line printed when it is ready. */
export interface InstallStep {
  readonly component: string
  readonly done: string
  readonly objects: readonly ClusterObject[]
}

export interface ManifestSet {
  readonly steps: readonly InstallStep[]
  /** Gateway API's CRDs, applied only to a cluster that has none. */
  readonly gatewayApi: readonly ClusterObject[]
}

export interface Files {
  readonly readFile: (path: string) => Promise<string>
  readonly listFolder: (path: string) => Promise<readonly string[]>
}

/** Reads the `deploy` folder in the order of installation. */
export async function readManifestSet(files: Files, deployFolder: string): Promise<ManifestSet> {
  const folder = async (name: string): Promise<readonly ClusterObject[]> => {
    const path = join(deployFolder, name)
    const names = (await files.listFolder(path)).filter((file) => file.endsWith('.yaml')).toSorted()
    return (await Promise.all(names.map((file) => read(join(path, file))))).flat()
  }
  const read = async (path: string): Promise<readonly ClusterObject[]> =>
    parseManifest(await files.readFile(path), path)
  const manifest = (name: string): Promise<readonly ClusterObject[]> => read(join(deployFolder, 'manifests', name))
  return {
    steps: [
      {
        component: 'Base',
        done: 'Istio core installed ⛵️',
        objects: [...(await folder('crds/istio')), ...(await manifest('10-base.yaml'))],
      },
      { component: 'Pilot', done: 'Istiod installed 🧠', objects: await manifest('20-istiod.yaml') },
      { component: 'Cni', done: 'CNI installed 🪢', objects: await manifest('30-cni.yaml') },
      { component: 'Ztunnel', done: 'Ztunnel installed 🔒', objects: await manifest('40-ztunnel.yaml') },
    ],
    gatewayApi: await folder('crds/gateway-api'),
  }
}

/** The objects of a YAML file. */
export function parseManifest(text: string, path: string): readonly ClusterObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [problem] = document.errors
    if (problem !== undefined) throw new DecodeError(`${path} is not valid YAML: ${problem.message}`)
    // Schemas are shared through aliases, so the limit against alias bombs is lifted for our own files.
    const value: unknown = document.toJS({ maxAliasCount: -1 })
    if (value === null || value === undefined) return []
    const object = asObject(value)
    const name = asText(asObject(object['metadata'])['name'])
    if (asText(object['kind']) === '' || asText(object['apiVersion']) === '' || name === '') {
      throw new DecodeError(`${path} holds a document without apiVersion, kind or metadata.name`)
    }
    return [{ ...object, metadata: { ...asObject(object['metadata']), name } }]
  })
}
