import type { Duplex } from 'node:stream'
import { cut as cutStream, type ReadSlabs, splice } from '@ambit/hbone'
import type { Cuttable, Flow, RunningCopy } from './data-path.types.ts'

/** Copies between streams of Node until both directions have ended. The cut must own both. */
export function copyStreams(downstream: Duplex, upstream: Duplex, slabs: ReadSlabs, { bytes }: Flow): RunningCopy {
  return { over: splice(downstream, upstream, { counters: bytes, slabs }).then(({ error }) => error) }
}

export function cuttable(stream: Duplex): Cuttable {
  return { cut: () => cutStream(stream) }
}
