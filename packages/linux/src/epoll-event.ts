/** struct epoll_event is packed on x86-64 only. */
const DATA_OFFSET = process.arch === 'x64' ? 4 : 8

export const EPOLL_EVENT_LENGTH: number = DATA_OFFSET + 8

export function encodeEpollEvent(into: Buffer, events: number, fd: number): void {
  into.writeUInt32LE(events >>> 0, 0)
  into.writeInt32LE(fd, DATA_OFFSET)
}

/** Descriptor named by the event at that position of the array the kernel filled in. */
export function eventDescriptor(events: Buffer, index: number): number {
  return events.readInt32LE(index * EPOLL_EVENT_LENGTH + DATA_OFFSET)
}
