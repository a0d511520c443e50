import type { FlagSpec } from './grammar/command.types.ts'

/** Flags every command takes, with istioctl's names. */
export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  { name: 'namespace', short: 'n', kind: 'text', placeholder: 'NS', summary: 'namespace to look at' },
  {
    name: 'istioNamespace',
    short: 'i',
    kind: 'text',
    placeholder: 'NS',
    summary: 'namespace of the control plane (istio-system)',
  },
  { name: 'kubeconfig', short: 'c', kind: 'text', placeholder: 'FILE', summary: 'kubeconfig (kubectl’s default)' },
  { name: 'context', kind: 'text', placeholder: 'NAME', summary: 'context of the kubeconfig' },
  {
    name: 'kubeclient-timeout',
    kind: 'duration',
    placeholder: 'DURATION',
    summary: 'how long one request may take (15s)',
  },
  { name: 'vklog', kind: 'count', placeholder: 'N', summary: '6 or more: tell each request to the cluster' },
]
