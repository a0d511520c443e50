/** Files in the agent's run folder on the node, shared by agent and plugin (Istio's names). */
export const AGENT_SOCKET = 'pluginevent.sock'
export const PLUGIN_KUBECONFIG = 'istio-cni-kubeconfig'
