/** TCP keepalive of every connection towards applications (Istio). */
export const KEEPALIVE = { idleSeconds: 180, intervalSeconds: 180, probes: 9 } as const

/** Connections the kernel completes and holds until they are accepted; Linux clamps it to net.core.somaxconn. */
export const LISTEN_BACKLOG = 1024

/**
 * Source ports for connections that keep a client's address. They lie below net.ipv4.ip_local_port_range, because a
 * port the client itself uses towards the same destination would share its conntrack entry and stall.
 */
export const SPOOFED_PORTS = { first: 1024, last: 32767 } as const

/** Source ports tried before a dial with a foreign source address gives up. */
export const SPOOFED_PORT_ATTEMPTS = 32

/** Largest packet of a SEQPACKET connection in bytes (Istio's ZDS). A longer one is an error, never cut silently. */
export const MAX_PACKET_BYTES = 1024

/** Descriptors taken from one packet; the kernel drops further ones and says so, which is an error. */
export const MAX_PACKET_FDS = 16

/** Connections of a SEQPACKET listener that wait to be accepted. */
export const SEQPACKET_BACKLOG = 16

/** Longest run of `nft` or `ip`, in milliseconds; then it is killed and the operation fails. */
export const TOOL_TIMEOUT_MS = 30_000

/** Standard error kept of a failed `nft` or `ip`, in characters. */
export const TOOL_STDERR_CHARS = 4096

/** Pause of a SEQPACKET listener after a failed accept (no descriptors left), in milliseconds. */
export const ACCEPT_RETRY_MS = 100

/** Largest netlink datagram read, in bytes: what the kernel itself uses for dumps. */
export const NETLINK_RECEIVE_BYTES: number = 32 * 1024

/** Timers of a reactor are good to this, in milliseconds. */
export const TIMER_TICK_MS = 50

/** Slots of a reactor's timers: what is due further ahead shares them. */
export const TIMER_WHEEL_SLOTS = 1024

/** Events a reactor takes from the kernel at a time. */
export const EVENTS_PER_TURN = 512

/** Pieces one write of a reactor gathers. Linux takes 1,024. */
export const MAX_IO_VECTORS = 64

/** What OpenSSL reads of a socket at a time, in bytes. The buffer is released when it is empty. */
export const TLS_READ_BUFFER_BYTES: number = 256 * 1024

/** Certificates of a peer's verified chain that are looked at. */
export const MAX_PEER_CHAIN = 10

/** Buffers of encrypted output kept by a thread for the next that has something to send. */
export const MAX_SPARE_TLS_OUTPUT_BUFFERS = 8

/** The largest that is kept, in bytes: one slab of HTTP/2 with what TLS adds, as OpenSSL rounds it up. */
export const MAX_SPARE_TLS_OUTPUT_BYTES: number = 512 * 1024
