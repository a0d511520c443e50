import { createRequire } from 'node:module'
import type { Libc } from './libc.types.ts'

interface Koffi {
  load(path: null): { func(prototype: string): (...args: unknown[]) => number | bigint }
  errno(): number
  address(value: Uint8Array): bigint
}

/** The second backend, for a Node without node:ffi (before 26, or with it switched off). */
export function openKoffi(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const libc = koffi.load(null)
  const int = (prototype: string): ((...args: unknown[]) => number) => {
    const call = libc.func(prototype)
    return (...args) => Number(call(...args))
  }
  const accept4 = int('int accept4(int fd, void *address, void *length, int flags)')
  const prlimit = int('int prlimit(int pid, int resource, const uint8_t *wanted, uint8_t *previous)')
  return {
    backend: 'koffi',
    setns: int('int setns(int fd, int type)'),
    unshare: int('int unshare(int flags)'),
    socket: int('int socket(int domain, int type, int protocol)'),
    bind: int('int bind(int fd, const uint8_t *address, uint32_t length)'),
    listen: int('int listen(int fd, int backlog)'),
    accept4: (fd, flags) => accept4(fd, null, null, flags),
    connect: int('int connect(int fd, const uint8_t *address, uint32_t length)'),
    setsockopt: int('int setsockopt(int fd, int level, int option, const uint8_t *value, uint32_t length)'),
    getsockopt: int('int getsockopt(int fd, int level, int option, uint8_t *value, uint8_t *length)'),
    shutdown: int('int shutdown(int fd, int how)'),
    recvmsg: int('int64_t recvmsg(int fd, uint8_t *message, int flags)'),
    sendmsg: int('int64_t sendmsg(int fd, const uint8_t *message, int flags)'),
    epollCreate: int('int epoll_create1(int flags)'),
    epollCtl: int('int epoll_ctl(int epoll, int operation, int fd, uint8_t *event)'),
    epollWait: int('int epoll_wait(int epoll, uint8_t *events, int maxEvents, int timeoutMs)'),
    eventfd: int('int eventfd(uint32_t initial, int flags)'),
    prlimit: (pid, resource, wanted, previous) => prlimit(pid, resource, wanted ?? null, previous ?? null),
    posixOpenpt: int('int posix_openpt(int flags)'),
    grantpt: int('int grantpt(int fd)'),
    unlockpt: int('int unlockpt(int fd)'),
    pipe: int('int pipe2(uint8_t *fds, int flags)'),
    ptsname: int('int ptsname_r(int fd, uint8_t *name, uint64_t length)'),
    ioctl: int('int ioctl(int fd, uint64_t request, uint8_t *argument)'),
    errno: () => koffi.errno(),
    addressOf: (bytes) => koffi.address(bytes),
  }
}
