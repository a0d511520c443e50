/** Longest an answer of an admin or debug endpoint may be: 256 MiB, several times the dump of a 50,000-pod mesh. */
export const MAX_POD_RESPONSE_BYTES: number = 256 * 1024 * 1024
/** How long one question to a pod may take, connecting included (istioctl: --kubeclient-timeout 15 s). */
export const POD_REQUEST_TIMEOUT_MS = 15_000
/** How long `install` waits for readiness unless told otherwise (istioctl: --readiness-timeout 300 s). */
export const READINESS_TIMEOUT_S = 300
/** Pause between two looks at what is not ready yet. */
export const READINESS_POLL_MS = 250
/** How long `waypoint apply --wait` and `waypoint status` wait unless told otherwise (istioctl: --waypoint-timeout 90 s). */
export const WAYPOINT_TIMEOUT_MS = 90_000
/** Pause between two looks at a waypoint that is not ready (istioctl's). */
export const WAYPOINT_POLL_MS = 1_000
/** Longest command line accepted, in arguments; longer ones are refused with a usage error. */
export const MAX_ARGUMENTS = 1_000
/** Highest index a --set may name; a list grows by one entry at a time. */
export const MAX_SETTING_INDEX = 1_000
/** Deepest folder below a chart that is looked into; deeper ones are left out. */
export const MAX_CHART_DEPTH = 8
/** Files one `analyze` reads, folders included. */
export const MAX_ANALYZED_FILES = 10_000
/** Updates of flows that wait to be read; who tells them waits then. */
export const MAX_WAITING_UPDATES = 4_096
/** Pause before a proxy whose stream of flows ended is asked again, growing to the longest. */
export const FLOW_RETRY_MS = 1_000
export const FLOW_RETRY_MAX_MS = 30_000
/** Pause between two looks at which proxies there are. */
export const FLOW_PROXIES_POLL_MS = 5_000
/** How often `ambit record` writes what it has. */
export const RECORD_CHECKPOINT_MS = 10_000
/** How old what the dashboard explains from may be, ms: who edits a request asks again within seconds. */
export const EXPLAIN_FRESH_MS = 2_000
/** Pause between two looks of the dashboard whether the cluster answers, ms. */
export const CLUSTER_POLL_MS = 3_000
/** How long files have to be left alone before `test --watch` reads them again: editors write in several steps. */
export const WATCH_DEBOUNCE_MS = 100
/** How long the cluster may take to answer before the dashboard calls it lost, ms. */
export const CLUSTER_ANSWER_MS = 10_000
