import { messageOf } from '@ambit/core'
import { ReactorUnavailableError } from '@ambit/linux'
import type { Config } from '../config.types.ts'
import type { DataPath } from './data-path.types.ts'
import { ReactorDataPath, type ReactorDataPathComponents } from './reactor-data-path.ts'
import { StreamDataPath } from './stream-data-path.ts'

/** The data path that the configuration wants, or with `auto` the best one that this Node can do. One line says which it is. */
export async function startDataPath(
  components: ReactorDataPathComponents,
  { dataPath, workerThreads }: Pick<Config, 'dataPath' | 'workerThreads'>,
): Promise<DataPath> {
  const logger = components.logger.scope('data-path')
  if (dataPath === 'node') {
    logger.info('connections are carried by streams of Node')
    return new StreamDataPath()
  }
  try {
    const path = await ReactorDataPath.start(components, { workers: workerThreads })
    logger.info('connections are carried by the reactor', { workers: workerThreads })
    return path
  } catch (error) {
    if (dataPath !== 'auto' || !(error instanceof ReactorUnavailableError)) throw error
    logger.warn('connections are carried by streams of Node, which is slower: the reactor is not available', {
      error: messageOf(error),
    })
    return new StreamDataPath()
  }
}
