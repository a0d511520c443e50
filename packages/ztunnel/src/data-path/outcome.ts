import type { Cut } from '../cut.ts'
import { type ConnectionFailure, copyFailure } from '../failures.ts'
import type { RunningCopy } from './data-path.types.ts'

/** Why a copy ended early, if it did: our own reason before what it looked like from within. */
export async function outcome(copy: RunningCopy, cut: Cut): Promise<ConnectionFailure | undefined> {
  const error = await copy.over
  if (cut.failure !== undefined) return cut.failure
  return error === undefined ? undefined : copyFailure(error)
}
