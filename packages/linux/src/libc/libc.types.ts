/**
 * The C functions this package calls. Integers are C ints, buffers are passed by address and must outlive the
 * call only. A negative result means failure, and `errno()` says which, if asked before the next call on this thread.
 */
export interface Libc {
  /** Which foreign function interface answers. */
  readonly backend: 'node:ffi' | 'koffi'
  setns(fd: number, type: number): number
  unshare(flags: number): number
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  listen(fd: number, backlog: number): number
  /** Blocking flags of the new descriptor are `flags`; the peer's address is not asked for. */
  accept4(fd: number, flags: number): number
  connect(fd: number, address: Uint8Array, length: number): number
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number
  shutdown(fd: number, how: number): number
  recvmsg(fd: number, message: Uint8Array, flags: number): number
  sendmsg(fd: number, message: Uint8Array, flags: number): number
  epollCreate(flags: number): number
  epollCtl(epoll: number, operation: number, fd: number, event: Uint8Array): number
  /** Blocks the calling thread. */
  epollWait(epoll: number, events: Uint8Array, maxEvents: number, timeoutMs: number): number
  eventfd(initial: number, flags: number): number
  prlimit(pid: number, resource: number, wanted: Uint8Array | undefined, previous: Uint8Array | undefined): number
  posixOpenpt(flags: number): number
  grantpt(fd: number): number
  unlockpt(fd: number): number
  /** Returns an error number, not -1. */
  /** Fills two file descriptors, of 32 bits each: to read, to write. */
  pipe(fds: Uint8Array, flags: number): number
  ptsname(fd: number, name: Uint8Array, length: bigint): number
  ioctl(fd: number, request: bigint, argument: Uint8Array): number
  errno(): number
  /** Where the bytes are in memory, for structures that hold pointers. The caller keeps the buffer alive. */
  addressOf(bytes: Uint8Array): bigint
}
