// Credentials change under a running mesh: nothing is restarted, nothing that was good before is lost.
import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TYPE_URLS } from '@ambit/api'
import { type Clock, systemClock } from '@ambit/core'
import { CertificateAuthority, createCsr, GrpcCaClient } from '@ambit/identity'
import { KINDS, type KubeObject } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import { RecordingLogger, RecordingMetrics } from '@ambit/testing'
import { DeltaClient } from '@ambit/xds'
import test from 'ava'
import { startController } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { CA_POLL_MS } from '../src/limits.ts'
import { startTestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import * as make from './support/objects.ts'

/** Real time, but the CA's files are looked at often. */
const impatient: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms === CA_POLL_MS ? 50 : ms, signal),
}

test('a plugged CA is replaced, tokens and roots change on disk, and a CA that vanishes changes nothing', async (t) => {
  await using cleanup = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'ambit-rotation-'))
  cleanup.defer(() => rm(folder, { recursive: true }))
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text)
  const plug = async (ca: { caCertPem: string; caKeyPem: string }, roots: string): Promise<void> => {
    await write('root-cert.pem', roots)
    await write('ca-cert.pem', ca.caCertPem)
    await write('ca-key.pem', ca.caKeyPem)
  }
  const first = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local', org: 'first' })
  const second = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local', org: 'second' })
  await plug(first, first.caCertPem)

  const logger = new RecordingLogger()
  const cluster = cleanup.use(await startTestCluster(logger))
  await cluster.applyManifest('manifests/00-namespace.yaml')
  await cluster.applyManifest('manifests/10-base.yaml')
  await cluster.applyManifest('manifests/20-istiod.yaml')
  await cluster.put(make.namespace('demo'))
  for (const at of ['istio-system/ztunnel', 'demo/a']) {
    const [namespace = '', name = ''] = at.split('/')
    await cluster.put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } })
  }
  const podOf = (at: string, serviceAccountName: string, ip: string): Promise<KubeObject> => {
    const spec = { serviceAccountName, nodeName: 'node-a', containers: [{ name: 'app', image: 'app' }] }
    return cluster.put(make.pod(at, { ip, spec }, { metadata: {} }))
  }
  const proxy = await podOf('istio-system/ztunnel-x', 'ztunnel', '10.0.0.10')
  await podOf('demo/a', 'a', '10.0.0.1')
  const controller = cleanup.use(
    await startController(
      readConfig({
        variables: {
          CA_TRUSTED_NODE_ACCOUNTS: 'istio-system/ztunnel',
          POD_NAME: 'istiod-1',
          ROOT_CA_DIR: folder,
        },
        args: [
          'discovery',
          '--monitoringAddr=:0',
          '--httpAddr=:0',
          '--secureGRPCAddr=:0',
          '--httpsAddr=:0',
          '--keepaliveMaxServerConnectionAge=500ms',
        ],
      }),
      {
        logger,
        metrics: new PrometheusMetrics(),
        clock: impatient,
        kubeConfig: cluster.configFor(await cluster.apiToken({ namespace: 'istio-system', serviceAccount: 'istiod' })),
        listenIp: '127.0.0.1',
      },
    ),
  )
  const newToken = async (): Promise<void> => {
    const pod = { name: proxy.metadata.name, uid: proxy.metadata.uid ?? '' }
    await write('token', await cluster.proxyToken({ namespace: 'istio-system', serviceAccount: 'ztunnel', pod }))
  }
  await newToken()
  await write('mounted-roots.pem', first.caCertPem)
  const common = {
    address: `https://localhost:${controller.tlsPort}`,
    root: { file: join(folder, 'mounted-roots.pem') },
    token: { file: join(folder, 'token') },
    altHostname: 'istiod.istio-system.svc',
    clusterId: 'Kubernetes',
  }
  const ca = cleanup.use(new GrpcCaClient({ logger }, { ...common, impersonate: true }))
  const issuedBy = async (authority: { readonly caCertPem: string }): Promise<boolean> => {
    const identity = { trustDomain: 'cluster.local', namespace: 'demo', serviceAccount: 'a' }
    const [leaf = ''] = await ca.createCertificate({ csrPem: createCsr(identity).csrPem, identity, ttlSeconds: 600 })
    return new X509Certificate(leaf).verify(new X509Certificate(authority.caCertPem).publicKey)
  }
  const names = new Set<string>()
  const client = cleanup.use(
    new DeltaClient(
      { clock: systemClock, logger, metrics: new RecordingMetrics() },
      {
        ...common,
        node: {
          id: 'ztunnel~10.0.0.10~ztunnel-x.istio-system~istio-system.svc.cluster.local',
          metadata: { NAMESPACE: 'istio-system' },
        },
        types: [
          {
            typeUrl: TYPE_URLS.address,
            mode: 'wildcard',
            apply: ({ upserts }) => {
              for (const { name } of upserts) names.add(name)
              return []
            },
          },
        ],
      },
    ),
  )
  client.start()
  await client.synced
  t.true(await issuedBy(first))

  const both = first.caCertPem + second.caCertPem
  await plug(second, both)
  await eventually(async () => controller.rootsPem.trim() === both.trim())
  await eventually(async () => {
    const at = { namespace: 'demo', name: 'istio-ca-root-cert' }
    const map = await cluster.client.get<KubeObject & { readonly data?: Record<string, string> }>(KINDS.configMap, at)
    return map?.data?.['root-cert.pem'] === controller.rootsPem
  })
  // As the kubelet does with the mounted ConfigMap.
  await write('mounted-roots.pem', controller.rootsPem)
  await newToken()
  t.true(await issuedBy(second))
  await podOf('demo/new', 'a', '10.0.0.2')
  await eventually(async () => names.has('Kubernetes//Pod/demo/new'))

  await write('token', 'no.token.at-all')
  await eventually(async () => logger.records.some(({ message }) => message === 'xDS client refused'))
  await newToken()
  await podOf('demo/newer', 'a', '10.0.0.3')
  await eventually(async () => names.has('Kubernetes//Pod/demo/newer'))

  for (const name of ['root-cert.pem', 'ca-cert.pem', 'ca-key.pem']) await rm(join(folder, name))
  await eventually(async () => logger.records.some(({ message }) => /the plugged CA is gone/.test(message)))
  t.is(controller.rootsPem.trim(), both.trim())
  t.true(await issuedBy(second))
})
