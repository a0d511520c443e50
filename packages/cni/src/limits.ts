/** Limit of each ZDS read or write in milliseconds (Istio). A ztunnel that takes longer is disconnected. */
export const ZDS_DEADLINE_MS = 5000

/** Pause between two accepted ztunnel connections in milliseconds: 5 per second (Istio). */
export const ZDS_ACCEPT_INTERVAL_MS = 200

/** ztunnels connected at once; a rolling update needs two. Further ones are closed at once. */
export const ZDS_MAX_CONNECTIONS = 16

/** Retry delays of one pod in milliseconds (Istio's work queue). */
export const RETRY_INITIAL_MS = 5
export const RETRY_MAX_MS = 5000

/** Pods worked on at the same time; each costs a few short-lived processes. */
export const RECONCILE_CONCURRENCY = 4

/** A network namespace found along with another pod's is held open for so long, in milliseconds. */
export const SPARE_NETNS_MS = 2000

/** Body of a request of the CNI plugin in bytes; a longer one is answered 413. */
export const PLUGIN_MAX_BODY_BYTES: number = 64 * 1024

/** Plugin requests served at once; further connections are refused, and the kubelet tries again. */
export const PLUGIN_MAX_CONNECTIONS = 128

/** Longest plugin request in milliseconds. */
export const PLUGIN_REQUEST_TIMEOUT_MS = 20_000

/** Attempts of the plugin to read the pod and its namespace, and the pause between them in milliseconds (Istio). */
export const PLUGIN_POD_ATTEMPTS = 30
export const PLUGIN_POD_RETRY_MS = 1000

/** Standard input of the plugin in bytes: the network configuration with the previous plugin's result. */
export const PLUGIN_MAX_STDIN_BYTES: number = 1024 * 1024

/** Time the runtime has to hand the plugin its configuration, in milliseconds. */
export const PLUGIN_STDIN_TIMEOUT_MS = 10_000

/** Looks for a new pod in the agent's own cache, and the pause in milliseconds, before asking the API server (Istio). */
export const POD_CACHE_ATTEMPTS = 10
export const POD_CACHE_RETRY_MS = 10

/** Interfaces of the reroute annotation; further ones are ignored with a warning. */
export const MAX_REROUTE_INTERFACES = 16

/** A pod the agent serves but the API server no longer lists is let go after this many milliseconds. */
export const UNLISTED_POD_GRACE_MS = 60_000

/** Pause between two sweeps over all pods in milliseconds. */
export const SWEEP_INTERVAL_MS = 60_000

/** CNI configuration files are checked again after this many milliseconds, should a change have gone unnoticed. */
export const CNI_CONFIG_CHECK_MS = 10_000

/** Largest CNI configuration file read, in bytes. */
export const CNI_CONFIG_MAX_BYTES: number = 1024 * 1024

/** Limits of the plugin's own requests to the API server: milliseconds without progress, and bytes of an answer. */
export const PLUGIN_API_TIMEOUT_MS = 5000
export const PLUGIN_MAX_ANSWER_BYTES: number = 4 * 1024 * 1024

/** Time the agent takes at its end to find out whether it is uninstalled, in milliseconds; then it assumes not. */
export const UNINSTALL_CHECK_MS = 5000
