import test from 'ava'
import {
  ContainerConfigError,
  containerEnvironment,
  type EnvironmentSources,
  serviceLinks,
} from '../src/kubelet/environment.ts'
import { resolveFieldRef, resolveResourceRef } from '../src/kubelet/field-ref.ts'
import type { Container, Pod } from '../src/objects/pod.types.ts'
import { parseQuantity } from '../src/objects/quantity.ts'

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'd', uid: 'u', labels: { app: 'x', 'a/b': 'c' } },
  spec: { containers: [], nodeName: 'ambit-1', serviceAccountName: 'sa' },
}
const facts = { podIps: ['10.244.1.2', 'fd00::2'], hostIp: '172.18.0.2' }
const sources: EnvironmentSources = {
  configMap: (_, name) =>
    name === 'cm' ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: {}, data: { key: 'from map' } } : undefined,
  secret: (_, name) =>
    name === 's' ? { apiVersion: 'v1', kind: 'Secret', metadata: {}, data: { key: 'c2VjcmV0' } } : undefined,
  services: () => [],
  node: { cpus: 2, memoryBytes: 2 ** 30 },
}
const environment = (container: Partial<Container>): Record<string, string> =>
  containerEnvironment({ pod, container: { name: 'c', ...container }, facts, imageEnv: { PATH: '/bin' } }, sources)

test('later variables refer to earlier ones and win over envFrom', (t) => {
  const env = environment({
    envFrom: [{ prefix: 'M_', configMapRef: { name: 'cm' } }, { secretRef: { name: 's' } }],
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '$(A)$(M_key)' },
      { name: 'key', value: 'own' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'key' } } },
      { name: 'OPTIONAL', valueFrom: { secretKeyRef: { name: 'none', key: 'key', optional: true } } },
    ],
  })
  t.like(env, { A: '1', B: '1from map', key: 'own', IP: '10.244.1.2', S: 'secret', PATH: '/bin', HOSTNAME: 'p' })
  t.false('OPTIONAL' in env)
  t.is(env['KUBERNETES_SERVICE_HOST'], '10.96.0.1')
})

test('a missing source is an error that names it', (t) => {
  const missing = t.throws(() => environment({ envFrom: [{ configMapRef: { name: 'none' } }] }), {
    instanceOf: ContainerConfigError,
  })
  t.is(missing.message, 'configmap "none" not found')
  const noKey = { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cm', key: 'other' } } }] }
  t.is(t.throws(() => environment(noKey)).message, "couldn't find key other in configmap d/cm")
})

test('fields of the downward API', (t) => {
  t.is(resolveFieldRef(pod, "metadata.labels['a/b']", facts), 'c')
  t.is(resolveFieldRef(pod, 'metadata.labels', facts), 'a/b="c"\napp="x"')
  t.is(resolveFieldRef(pod, 'status.podIPs', facts), '10.244.1.2,fd00::2')
  t.is(resolveFieldRef(pod, 'spec.serviceAccountName', facts), 'sa')
  t.is(resolveFieldRef(pod, 'spec.unheard.of', facts), undefined)
})

test('resources round up to the divisor and default to what the node has', (t) => {
  const container: Container = { name: 'c', resources: { limits: { cpu: '1500m' } } }
  const node = { cpus: 4, memoryBytes: 2 ** 30 }
  t.is(resolveResourceRef({ resource: 'limits.cpu' }, container, node), '2')
  t.is(resolveResourceRef({ resource: 'limits.cpu', divisor: '1m' }, container, node), '1500')
  t.is(resolveResourceRef({ resource: 'limits.memory', divisor: '1Mi' }, container, node), '1024')
  t.is(parseQuantity('1Gi'), 2 ** 30)
  t.is(parseQuantity('x'), undefined)
})

test('service variables are spelled as Docker links', (t) => {
  const spec = { clusterIP: '10.96.0.9', ports: [{ name: 'http', port: 80 }] }
  const env = serviceLinks([{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'my-web' }, spec }])
  t.like(env, {
    MY_WEB_SERVICE_HOST: '10.96.0.9',
    MY_WEB_SERVICE_PORT: '80',
    MY_WEB_SERVICE_PORT_HTTP: '80',
    MY_WEB_PORT_80_TCP_ADDR: '10.96.0.9',
  })
})
