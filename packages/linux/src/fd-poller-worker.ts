// Body of the thread of FdPoller: sleeps in epoll_wait and reports which descriptors woke it, until told to stop.
import { parentPort, workerData } from 'node:worker_threads'
import { EPOLL_EVENT_LENGTH, eventDescriptor } from './epoll-event.ts'
import type { PollerWorkerData } from './fd-poller.ts'
import { EINTR } from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { SystemCallError } from './system-call-error.ts'

const MAX_EVENTS = 64
const { epoll, stopFd } = workerData as PollerWorkerData
const events = Buffer.alloc(MAX_EVENTS * EPOLL_EVENT_LENGTH)

function wait(): number[] {
  const count = libc().epollWait(epoll, events, MAX_EVENTS, -1)
  if (count >= 0) return Array.from({ length: count }, (_, index) => eventDescriptor(events, index))
  const errno = libc().errno()
  if (errno === EINTR) return []
  throw new SystemCallError('epoll_wait', errno, '')
}

for (;;) {
  const fds = wait()
  if (fds.includes(stopFd)) break
  if (fds.length > 0) parentPort?.postMessage(fds)
}
