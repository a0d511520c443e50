/** Values of the Linux ABI; the same on x86-64 and arm64. */
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_PACKET = 17

/** Every protocol, for packet sockets. */
export const ETH_P_ALL = 3

export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_SEQPACKET = 5
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000

export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_ERROR = 4
export const SO_KEEPALIVE = 9
export const SO_LINGER = 13
export const SO_REUSEPORT = 15
export const SO_MARK = 36
export const SO_ATTACH_REUSEPORT_CBPF = 51
export const SCM_RIGHTS = 1

export const IPPROTO_IP = 0
export const IPPROTO_TCP = 6
export const IPPROTO_IPV6 = 41

export const IP_FREEBIND = 15
export const IP_TRANSPARENT = 19
export const SO_ORIGINAL_DST = 80
export const IPV6_V6ONLY = 26
export const IPV6_TRANSPARENT = 75
export const IPV6_FREEBIND = 78
export const IP6T_SO_ORIGINAL_DST = 80

export const TCP_NODELAY = 1
export const TCP_KEEPIDLE = 4
export const TCP_KEEPINTVL = 5
export const TCP_KEEPCNT = 6

export const CLONE_NEWNET = 0x40000000

export const MSG_TRUNC = 0x20
export const MSG_CTRUNC = 0x08
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
export const MSG_CMSG_CLOEXEC = 0x40000000

export const SHUT_WR = 1
export const SHUT_RDWR = 2

export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_DEL = 2
export const EPOLL_CTL_MOD = 3
export const EPOLL_CLOEXEC = 0o2000000
export const EPOLLIN = 0x001
export const EPOLLOUT = 0x004
export const EPOLLERR = 0x008
export const EPOLLHUP = 0x010
export const EPOLLRDHUP = 0x2000
export const EPOLLET = 0x80000000
export const EPOLLONESHOT = 0x40000000
export const EFD_CLOEXEC = 0o2000000
export const EFD_NONBLOCK = 0o4000

export const RLIMIT_NOFILE = 7
export const TIOCSWINSZ = 0x5414n

export const EINTR = 4
export const EAGAIN = 11
export const ENFILE = 23
export const EMFILE = 24
export const EPIPE = 32
export const EADDRINUSE = 98
export const ECONNABORTED = 103
export const ECONNRESET = 104
export const EINPROGRESS = 115
