import type { ManifestObject } from '@ambit/chart'
import { stringify } from 'yaml'

/** Objects as YAML documents; members in the order of the charts, strings quoted where YAML 1.1 would misread them. */
export function manifestText(objects: readonly ManifestObject[]): string {
  return objects
    .map((object) =>
      stringify(object, { version: '1.1', indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false }),
    )
    .join('---\n')
}
