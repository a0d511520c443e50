const KIBIBYTE = 1024

/** One line of flows, characters; a longer one is refused. */
export const MAX_FLOW_LINE: number = 128 * KIBIBYTE

/** Text of one value of a flow that a client chose (path, host, header, claim), characters; the rest is cut. */
export const MAX_FLOW_TEXT: number = KIBIBYTE

/** Headers, and claims, that one flow shows; they are those that policies read. */
export const MAX_FLOW_FIELDS = 16

/** Names of policies that one verdict lists; more are cut. */
export const MAX_FLOW_POLICIES = 10

/** Denied flows one proxy remembers; the oldest is forgotten. */
export const MAX_KEPT_DENIALS = 1_024

/** Failed flows one proxy remembers; the oldest is forgotten. */
export const MAX_KEPT_FAILURES = 1_024

/** Clients that follow the flows of one proxy at once; a further one is answered 503. */
export const MAX_FLOW_FOLLOWERS = 16

/** Lines waiting for one client that follows, characters; then the oldest go, and one line says how many. */
export const MAX_WAITING_FLOWS: number = 2 * KIBIBYTE * KIBIBYTE

/** Lines that are handed to a client at once, characters. */
export const FLOW_CHUNK: number = 64 * KIBIBYTE

/** How often open flows whose bytes have changed are told again, ms. */
export const FLOW_UPDATE_MS = 1_000

/** How long open flows are gone through before other work gets its turn, ms. */
export const FLOW_SLICE_MS = 5

/** An empty line tells a client that waits that its proxy is alive, ms. */
export const FLOW_HEARTBEAT_MS = 15_000
