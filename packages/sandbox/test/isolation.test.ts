import test from 'ava'
import type { NetworkPolicy } from '../src/objects/network-policy.types.ts'
import type { Pod } from '../src/objects/pod.types.ts'
import { isolationOf, type PolicyPod } from '../src/policy/isolation.ts'
import { policyPod } from '../src/policy/network-policies.ts'
import { policyRuleset } from '../src/policy/policy-ruleset.ts'

const pod = (namespace: string, app: string, ip: string, more: Partial<PolicyPod> = {}): PolicyPod => ({
  namespace,
  labels: { app },
  ips: [ip],
  node: 'n1',
  ports: [],
  ...more,
})

const WEB = pod('shop', 'web', '10.244.1.2', {
  ips: ['10.244.1.2', 'fd00:10:244:1::2'],
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
})
const FRONT = pod('shop', 'front', '10.244.2.2', { node: 'n2' })
const OTHER = pod('people', 'front', '10.244.2.3', { node: 'n2' })
const DNS = pod('kube-system', 'dns', '172.18.255.53', {
  node: '',
  ports: [{ name: 'dns', port: 53, protocol: 'UDP' }],
})
const LABELS: Record<string, Record<string, string>> = {
  shop: { 'kubernetes.io/metadata.name': 'shop' },
  people: { 'kubernetes.io/metadata.name': 'people', team: 'a' },
  'kube-system': { 'kubernetes.io/metadata.name': 'kube-system' },
}

function policy(spec: NetworkPolicy['spec']): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'p', namespace: 'shop', uid: 'u' },
    spec,
  }
}

/** Rules for the pod `web`: undefined where everything is let through. */
function rules(direction: 'ingress' | 'egress', ...specs: NetworkPolicy['spec'][]): readonly string[] | undefined {
  const world = {
    policies: specs.map(policy),
    pods: [WEB, FRONT, OTHER, DNS],
    namespaceLabels: (name: string) => LABELS[name],
  }
  return isolationOf(world, 'n1')[0]?.[direction]?.flatMap((chain) => chain.rules)
}

test('a pod that no policy selects is not isolated; one of another node is left to it', (t) => {
  t.is(rules('ingress', { podSelector: { matchLabels: { app: 'nobody' } } }), undefined)
  t.is(rules('ingress', { podSelector: { matchLabels: { app: 'front' } } }), undefined)
})

test('default deny, and what its types leave alone', (t) => {
  t.deepEqual(rules('ingress', {}), [])
  t.is(rules('egress', {}), undefined)
  t.deepEqual(rules('egress', { policyTypes: ['Egress'] }), [])
  t.is(rules('ingress', { policyTypes: ['Egress'] }), undefined)
})

test('an empty rule lets everybody in', (t) => {
  t.deepEqual(rules('ingress', { ingress: [{}] }), ['accept'])
})

const PEERS: readonly [string, NetworkPolicy['spec'], 'ingress' | 'egress', readonly string[]][] = [
  [
    'pods of its own namespace',
    { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'front' } } }] }] },
    'ingress',
    ['ip saddr { 10.244.2.2 } accept'],
  ],
  [
    'namespaces',
    { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'a' } } }] }] },
    'ingress',
    ['ip saddr { 10.244.2.3 } accept'],
  ],
  [
    'pods of namespaces, both in one peer',
    { ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'front' } } }] }] },
    'ingress',
    ['ip saddr { 10.244.2.2, 10.244.2.3 } accept'],
  ],
  [
    'addresses with exceptions, in their family',
    {
      ingress: [
        {
          from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }, { ipBlock: { cidr: 'fd00::/8' } }],
          ports: [{ protocol: 'TCP', port: 80, endPort: 90 }],
        },
      ],
    },
    'ingress',
    ['ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 tcp dport 80-90 accept', 'ip6 saddr fd00::/8 tcp dport 80-90 accept'],
  ],
  [
    'a named port of the pod itself',
    { ingress: [{ ports: [{ port: 'http', protocol: 'TCP' }] }] },
    'ingress',
    ['ip daddr . tcp dport { 10.244.1.2 . 8080 } accept', 'ip6 daddr . tcp dport { fd00:10:244:1::2 . 8080 } accept'],
  ],
  [
    'a named port of whom it asks',
    {
      policyTypes: ['Egress'],
      egress: [{ to: [{ namespaceSelector: {} }], ports: [{ port: 'dns', protocol: 'UDP' }] }],
    },
    'egress',
    [
      'ip daddr { 10.244.1.2, 10.244.2.2, 10.244.2.3, 172.18.255.53 } ip daddr . udp dport { 172.18.255.53 . 53 } accept',
    ],
  ],
  [
    'a protocol without ports, to nobody that there is',
    { policyTypes: ['Egress'], egress: [{ to: [{ podSelector: { matchLabels: { app: 'none' } } }] }] },
    'egress',
    [],
  ],
  [
    'a protocol without ports',
    { policyTypes: ['Egress'], egress: [{ ports: [{ protocol: 'UDP' }] }] },
    'egress',
    ['meta l4proto udp accept'],
  ],
]
for (const [what, spec, direction, expected] of PEERS) {
  test(`let through: ${what}`, (t) => {
    t.deepEqual(rules(direction, spec), expected)
  })
}

test('several policies add up', (t) => {
  t.deepEqual(rules('ingress', {}, { ingress: [{ ports: [{ protocol: 'TCP', port: 80 }] }] }), ['tcp dport 80 accept'])
})

test('which pods count: those with addresses, in the network of pods, that have not ended', (t) => {
  const object = (spec: object, status: object) =>
    ({
      metadata: { namespace: 'a', name: 'p', labels: {} },
      spec: { containers: [], nodeName: 'n1', ...spec },
      status,
    }) as unknown as Pod
  t.deepEqual(policyPod(object({}, { podIPs: [{ ip: '10.244.1.9' }] }), undefined)?.ips, ['10.244.1.9'])
  t.is(policyPod(object({ hostNetwork: true }, { podIPs: [{ ip: '172.18.0.2' }] }), undefined), undefined)
  t.is(policyPod(object({}, { phase: 'Succeeded', podIPs: [{ ip: '10.244.1.9' }] }), undefined), undefined)
  t.is(policyPod(object({}, {}), undefined), undefined)
  const starting = { namespace: 'a', name: 'p', uid: 'u', node: 'n1', ips: ['10.244.1.9'] }
  t.deepEqual(policyPod(object({}, {}), starting)?.ips, ['10.244.1.9'])
})

test('a pod reaches itself whatever policies say', (t) => {
  const text = policyRuleset([{ ips: WEB.ips, ingress: [], egress: undefined }])
  t.regex(text, /chain in-\w+ \{ ip saddr 10\.244\.1\.2 accept; ip6 saddr fd00:10:244:1::2 accept; drop; \}/)
})
