import type { Libc } from './libc.types.ts'
import { requireFfi } from './require-ffi.ts'

/** Node's own foreign function interface: no compile step, no dependency; on by default since Node 26.9. */
export function openNodeFfi(): Libc {
  const ffi = requireFfi()
  // null is the process image, which holds libc already, whichever libc it is.
  const { functions: f } = ffi.dlopen(null, {
    setns: { arguments: ['int32', 'int32'], return: 'int32' },
    unshare: { arguments: ['int32'], return: 'int32' },
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    listen: { arguments: ['int32', 'int32'], return: 'int32' },
    accept4: { arguments: ['int32', 'pointer', 'pointer', 'int32'], return: 'int32' },
    connect: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
    getsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'buffer'], return: 'int32' },
    shutdown: { arguments: ['int32', 'int32'], return: 'int32' },
    recvmsg: { arguments: ['int32', 'buffer', 'int32'], return: 'int64' },
    sendmsg: { arguments: ['int32', 'buffer', 'int32'], return: 'int64' },
    epoll_create1: { arguments: ['int32'], return: 'int32' },
    epoll_ctl: { arguments: ['int32', 'int32', 'int32', 'buffer'], return: 'int32' },
    epoll_wait: { arguments: ['int32', 'buffer', 'int32', 'int32'], return: 'int32' },
    eventfd: { arguments: ['uint32', 'int32'], return: 'int32' },
    prlimit: { arguments: ['int32', 'int32', 'pointer', 'pointer'], return: 'int32' },
    posix_openpt: { arguments: ['int32'], return: 'int32' },
    grantpt: { arguments: ['int32'], return: 'int32' },
    unlockpt: { arguments: ['int32'], return: 'int32' },
    pipe2: { arguments: ['buffer', 'int32'], return: 'int32' },
    ptsname_r: { arguments: ['int32', 'buffer', 'uint64'], return: 'int32' },
    ioctl: { arguments: ['int32', 'uint64', 'buffer'], return: 'int32' },
    __errno_location: { arguments: [], return: 'pointer' },
  })
  // errno lives at a fixed address per thread, and every thread that loads this file has its own.
  const errnoAddress = f.__errno_location()
  return {
    backend: 'node:ffi',
    setns: f.setns,
    unshare: f.unshare,
    socket: f.socket,
    bind: f.bind,
    listen: f.listen,
    accept4: (fd, flags) => f.accept4(fd, null, null, flags),
    connect: f.connect,
    setsockopt: f.setsockopt,
    getsockopt: f.getsockopt,
    shutdown: f.shutdown,
    recvmsg: (fd, message, flags) => Number(f.recvmsg(fd, message, flags)),
    sendmsg: (fd, message, flags) => Number(f.sendmsg(fd, message, flags)),
    epollCreate: f.epoll_create1,
    epollCtl: f.epoll_ctl,
    epollWait: f.epoll_wait,
    eventfd: f.eventfd,
    prlimit: (pid, resource, wanted, previous) => f.prlimit(pid, resource, wanted ?? null, previous ?? null),
    posixOpenpt: f.posix_openpt,
    grantpt: f.grantpt,
    unlockpt: f.unlockpt,
    pipe: f.pipe2,
    ptsname: f.ptsname_r,
    ioctl: f.ioctl,
    errno: () => ffi.getInt32(errnoAddress, 0),
    addressOf: (bytes) => ffi.getRawPointer(bytes),
  }
}
