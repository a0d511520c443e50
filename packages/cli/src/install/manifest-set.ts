import { join } from 'node:path'
import { type ManifestObject, manifestObjects } from '@ambit/chart'
import type { Context } from '../context.types.ts'

/** Gateway API's CRDs, in the `deploy` folder. */
export async function readGatewayApi(
  files: Pick<Context, 'readFile' | 'listFolder'>,
  deployFolder: string,
): Promise<readonly ManifestObject[]> {
  const folder = join(deployFolder, 'crds', 'gateway-api')
  const names = (await files.listFolder(folder)).filter((file) => file.endsWith('.yaml')).toSorted()
  return manifestObjects(
    await Promise.all(
      names.map(async (name) => ({ path: join(folder, name), text: await files.readFile(join(folder, name)) })),
    ),
  )
}

/** The objects of a YAML file. */
export function parseManifest(text: string, path: string): readonly ManifestObject[] {
  return manifestObjects([{ path, text }])
}
