// Body of a reactor's thread: it never returns to Node's own event loop, so nothing here may wait for a promise.
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { EventLoop, OpenSsl, openNative } from '@ambit/linux'
import { STATE } from './command-channel.ts'
import { DataPath } from './data-path.ts'
import type { Command, ReactorEvent, ReactorWorkerData } from './messages.types.ts'

const { port, wakeDescriptor, state, counters } = workerData as ReactorWorkerData

let events: ReactorEvent[] = []
let isStopping = false
let taken = 0
let batch: readonly Command[] = []
let obeyed = 0

function tell(): void {
  if (events.length === 0) return
  const batch = events
  events = []
  port.postMessage(batch)
}

/** The next batch, if there is one. */
function take(): boolean {
  const received: { readonly message: readonly Command[] } | undefined = receiveMessageOnPort(port)
  if (received === undefined) return false
  // As the other side counts: in 32 bits.
  taken = (taken + 1) | 0
  Atomics.store(state, STATE.taken, taken)
  batch = received.message
  obeyed = 0
  return true
}

function obeyAll(dataPath: DataPath): void {
  if (Atomics.load(state, STATE.posted) === taken) return
  while (take()) {
    while (obeyed < batch.length) {
      const command = batch[obeyed++] as Command
      if (command.kind === 'stop') isStopping = true
      else if (command.kind === 'facts') events.push({ kind: 'facts', facts: dataPath.facts() })
      else if (command.kind === 'crash') throw new Error('told to crash')
      else dataPath.obey(command)
    }
  }
}

{
  using loop = new EventLoop(openNative(), wakeDescriptor)
  const openssl = new OpenSsl(loop.native.ffi)
  const dataPath = new DataPath({ loop, openssl, counters }, (event) => events.push(event))
  try {
    events.push({ kind: 'ready' })
    while (!isStopping) {
      tell()
      if (dataPath.isIdle) {
        Atomics.store(state, STATE.sleeps, 1)
        // Whoever posts after this look sees that the loop sleeps, and wakes it.
        loop.turn(Atomics.load(state, STATE.posted) === taken)
        Atomics.store(state, STATE.sleeps, 0)
      } else loop.turn(false)
      obeyAll(dataPath)
      dataPath.run()
    }
  } finally {
    // What was taken is ours, obeyed or not.
    do {
      for (const command of batch.slice(obeyed)) if ('fd' in command) loop.native.calls.close(command.fd)
    } while (take())
    // Also after a crash: descriptors and native objects belong to the process, not to the thread.
    dataPath[Symbol.dispose]()
    // What tearing down looks like from within is no news: the main thread knows that everything is gone, and why.
    port.postMessage([{ kind: 'stopped', facts: dataPath.facts() } satisfies ReactorEvent])
  }
}
