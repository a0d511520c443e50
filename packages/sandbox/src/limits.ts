/** Every bound of the sandbox in one place. What happens at the limit is said beside each. */
export const LIMITS = {
  /** Milliseconds until a sandbox that doesn't become ready is killed and reported. */
  startTimeoutMs: 60_000,
  /** Nodes of one sandbox; more are refused at start (one /24 per node, two cores are busy long before). */
  maxNodes: 16,
  /** Pods per node: addresses .2 to .254 of its /24; the next pod stays Pending with FailedCreatePodSandBox. */
  maxPodsPerNode: 253,
  /** Bytes of one container's current log file; at the limit it becomes `.1` and a new one begins. */
  containerLogBytes: 10_485_760,
  /** Bytes of one log line; longer lines are split. */
  logLineBytes: 16_384,
  /** Lines that a slow reader of `logs -f` may lag behind; then its stream ends with an error. */
  logFollowerLines: 10_000,
  /** Bytes of output kept for the first who attaches to an interactive container; with more, the early part is only in the log. */
  attachReplayBytes: 65_536,
  /** Bytes that an attached reader may lag behind; then its stream is ended. */
  attachBacklogBytes: 1_048_576,
  /** Bytes of writable root file system of one container (tmpfs); writes then fail with ENOSPC. */
  containerRootBytes: 67_108_864,
  /** Bytes of standard output or error kept of a helper command; the rest is dropped. */
  commandOutputBytes: 262_144,
  /** Milliseconds a helper command (ip, nft, mount) may take; then it is killed and reported as failed. */
  commandTimeoutMs: 30_000,
  /** Milliseconds that compiling the components ahead may take, with what others leave of the machine; then starts stay slower. */
  compileTimeoutMs: 300_000,
  /** Chained CNI plugins running at once on one node; further pods wait for their turn. */
  cniPluginsAtOnce: 4,
  /** Milliseconds a chained CNI plugin may take; then it is killed and the pod's set-up is retried. */
  cniPluginTimeoutMs: 60_000,
  /** Bytes of the answer of an HTTP probe that are read. */
  probeBodyBytes: 10_240,
  /** Milliseconds that the output of a program that has ended is still read where other processes may hold it open. */
  outputDrainMs: 2000,
  /** Images added to one sandbox; the next one is refused. */
  loadedImages: 200,
  /** Bytes of the message a container leaves at its end (Kubernetes); the rest is cut off. */
  terminationMessageBytes: 4096,
  /** Lines and bytes of a failed container's log that stand in for its message (Kubernetes). */
  terminationLogLines: 80,
  terminationLogBytes: 2048,
  /** Redirects of one HTTP probe that are followed (Kubernetes); the next one is a failure. */
  probeRedirects: 10,
  /** Bytes of the answer of a gRPC probe; a longer one is a failure. */
  probeGrpcBytes: 1024,
  /** Backoff of a crashing container, as in Kubernetes: 10 s doubling to 5 min, reset after 10 min of running. */
  crashBackoffInitialMs: 10_000,
  crashBackoffMaxMs: 300_000,
  crashBackoffResetMs: 600_000,
  /** Backoff of a failing pod set-up (network, volumes). */
  setupBackoffInitialMs: 500,
  setupBackoffMaxMs: 30_000,
  /** Bytes of a UDP DNS answer without EDNS (RFC 1035 4.2.1); longer ones are truncated with TC set. */
  dnsUdpBytes: 512,
  /** Bytes of a UDP DNS answer with EDNS, at most (no fragmentation on any usual path). */
  dnsEdnsBytes: 1232,
  /** Simultaneous TCP connections to the DNS server; further ones are closed at once. */
  dnsTcpConnections: 256,
  /** Idle milliseconds of a DNS TCP connection. */
  dnsTcpIdleMs: 10_000,
  /** Pods that a Job creates in one go; the rest follows at its next look. */
  jobPodsAtOnce: 500,
  /** Completions of an indexed Job; one with more fails at once. */
  jobIndexes: 100_000,
  /** Wait before a Job replaces a failed pod, as in Kubernetes: 10 s doubling to 10 min. */
  jobBackoffInitialMs: 10_000,
  jobBackoffMaxMs: 600_000,
  /** Milliseconds between two looks of a controller at one object: what changes meanwhile is dealt with in one go. */
  controllerSpacingMs: 25,
  /** Connections through one port of the machine into the cluster; further ones are closed at once. */
  machinePortConnections: 1024,
  /** Milliseconds until a connection into the cluster must stand; then the next node or endpoint is tried. */
  machinePortDialMs: 5000,
  /** Clients of one UDP port of the machine; the one silent for longest is forgotten for a new one. */
  machinePortUdpClients: 1024,
  /** Milliseconds of silence after which a UDP client is forgotten. */
  machinePortUdpIdleMs: 60_000,
  /** Ports of the machine that a sandbox opens for its services; further ones stay closed, and an event says so. */
  machinePorts: 512,
  /** Addresses of the loopback tried for a load balancer before it stays pending. */
  loopbackAddresses: 253,
  /** Endpoints in one EndpointSlice (Kubernetes' default); a service with more gets several slices. */
  endpointsPerSlice: 100,
  /** Addresses of one Endpoints object, or of one of its subsets that is mirrored (Kubernetes); the rest is left out. */
  addressesPerEndpoints: 1000,
  /** Events kept per cluster by the runtime's recorder before the oldest is deleted. */
  eventsKept: 1000,
  /** Terminated pods kept before the oldest are deleted. */
  terminatedPodsKept: 100,
} as const
