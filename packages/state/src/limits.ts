/** How long a new pod's connection waits for its own workload to arrive from the control plane (Istio: 5 s). */
export const LOCAL_WORKLOAD_WAIT_MS = 5_000
