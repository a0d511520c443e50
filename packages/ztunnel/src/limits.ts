/** Wait for the workload of a captured pod to appear in xDS, ms (Istio). Then 503, drop or SERVFAIL. */
export const LOCAL_WORKLOAD_WAIT_MS = 5_000

/** Connections of one pod that wait for its workload; further ones fail at once. They are in no connection table yet. */
export const MAX_LOCAL_WORKLOAD_WAITERS = 4_096

/** Wait for a TCP connection, to applications and to peers, ms (Istio). */
export const CONNECT_TIMEOUT_MS = 10_000

/** Wait for the name of a workload without addresses to be resolved, ms. */
export const RESOLVE_TIMEOUT_MS = 5_000

/** Open captured connections of one pod, each direction; further ones are closed at accept. */
export const MAX_CONNECTIONS_PER_POD = 16_384

/** Connections of one pod's outbound capture that are not yet connected; further ones are closed at accept. */
export const MAX_CONNECTING_PER_POD = 2_048

/** A refused connection stays this long, or until its client has said something, ms: by then connect() has returned. */
export const REFUSAL_HOLD_MS = 200

/** Label sets whose connections are counted before the metrics are told; one more tells them early. */
export const MAX_GATHERED_SERIES = 1_024

/** Rows of one direction of one pod in /config_dump; the rest is only counted. */
export const MAX_DUMPED_CONNECTIONS = 1_000

/** Pods one ztunnel proxies; further `add` are refused with a nack. */
export const MAX_PODS = 1_024

/** DNS queries of one pod being worked on; further ones are answered SERVFAIL at once. */
export const DNS_MAX_IN_FLIGHT = 512

/** DNS TCP connections of one pod; further ones are closed at accept. */
export const DNS_MAX_TCP_CONNECTIONS = 64

/** How long queries under way hold up the end of a pod's DNS proxy, milliseconds. */
export const DNS_DRAIN_MS = 300

/** How long a pod's listeners still take connections whose handshake began with them, once newer ones get the rest, ms. */
export const HANDOVER_MS = 250

/** Idle time of a DNS TCP connection, ms (Istio). */
export const DNS_TCP_IDLE_MS = 5_000

/** Wait for one name server, ms; then the next one. */
export const DNS_ATTEMPT_TIMEOUT_MS = 2_000

/** Whole time for a forwarded query, ms; then SERVFAIL. */
export const DNS_FORWARD_DEADLINE_MS = 5_000

/** Rounds over the name servers. */
export const DNS_ROUNDS = 2

/** Answer taken from a name server over TCP, bytes: what the length prefix can say. */
export const DNS_MAX_TCP_MESSAGE = 65_535

/** Time between attempts to start a pod whose listeners failed, ms (Istio). */
export const PENDING_POD_RETRY_MS = 5_000

/** Backoff of the ZDS connection, ms (Istio). */
export const ZDS_RECONNECT = { initialMs: 10, maxMs: 15_000 } as const

/** Local xDS file, bytes; a larger one is refused at start. */
export const MAX_LOCAL_XDS_BYTES: number = 64 * 1024 * 1024

/** Uses of one anchor in it; more would make a small file a large value. */
export const MAX_YAML_ALIASES = 100

/** Longest text of a failure that came from a peer or the system in a log line, characters. */
export const MAX_FAILURE_TEXT = 512

/** Wait for the control plane's answer about an address, ms, with on-demand xDS; then the connection fails. */
export const DEMAND_TIMEOUT_MS = 10_000

/** How long open connections are judged again after a change before other work gets its turn, milliseconds. */
export const REJUDGING_SLICE_MS = 5

/** Port of name servers. */
export const DNS_PORT = 53

/** Policy names one access log line lists; more are cut. */
export const MAX_POLICIES_IN_LOG = 10

/** How long the end of one pod's proxy may hold up other pods, milliseconds; the node agent waits 5 s for an answer. */
export const STOP_DEADLINE_MS = 2_000

/** Threads of the reactor where nothing else is said: at least so many (Istio). */
export const MIN_WORKER_THREADS = 2

/** Or this share of the node's CPUs (Istio). */
export const WORKER_THREADS_SHARE = 0.25

/** Most threads of the reactor, whatever is said: each is an isolate of its own. */
export const MAX_WORKER_THREADS = 128
