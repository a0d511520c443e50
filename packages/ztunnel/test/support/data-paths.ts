import test, { type ExecutionContext } from 'ava'
import type { Config } from '../../src/index.ts'

export type DataPathName = Exclude<Config['dataPath'], 'auto'>

/** What carries the bytes at the client's end, and at the server's. */
export interface DataPaths {
  readonly client: DataPathName
  readonly server: DataPathName
}

export const ALIKE: readonly DataPaths[] = [
  { client: 'node', server: 'node' },
  { client: 'reactor', server: 'reactor' },
]

/** Nodes of a mesh need not have the same. */
export const MIXED: readonly DataPaths[] = [
  ...ALIKE,
  { client: 'node', server: 'reactor' },
  { client: 'reactor', server: 'node' },
]

/** One test for each of them: nothing may differ. */
export function testOnDataPaths(
  title: string,
  run: (t: ExecutionContext, paths: DataPaths) => Promise<void>,
  all: readonly DataPaths[] = ALIKE,
): void {
  for (const paths of all) {
    const { client, server } = paths
    test(`${client === server ? client : `${client} to ${server}`}: ${title}`, (t) => run(t, paths))
  }
}
