import { systemClock, Watchable } from '@ambit/core'
import { CertificateAuthority } from '@ambit/identity'
import { KINDS, type KubeObject, ObjectSet } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import { startController } from '../src/app.ts'
import { keepRootCertificates, type ConfigMap as RootConfigMap } from '../src/ca/root-cert-config-map.ts'
import { readConfig } from '../src/config.ts'
import { startTestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import * as make from './support/objects.ts'

type ConfigMap = KubeObject & { readonly data: Readonly<Record<string, string>> }

test('the roots are in every namespace, come back when deleted and are repaired when changed', async (t) => {
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  await cluster.applyManifest('manifests/00-namespace.yaml')
  await cluster.applyManifest('manifests/10-base.yaml')
  const config = readConfig({
    variables: {},
    args: ['--monitoringAddr=:0', '--httpAddr=:0', '--secureGRPCAddr=:0', '--httpsAddr=:0'],
  })
  await using controller = await startController(config, {
    logger,
    metrics: new PrometheusMetrics(),
    kubeConfig: cluster.configFor('administrator-of-the-test'),
    listenIp: '127.0.0.1',
  })
  const at = { namespace: 'late', name: 'istio-ca-root-cert' }
  const roots = async (): Promise<string | undefined> =>
    (await cluster.client.get<ConfigMap>(KINDS.configMap, at))?.data['root-cert.pem']
  const isRight = async (): Promise<boolean> => (await roots()) === controller.rootsPem
  await cluster.put(make.namespace('late'))
  t.true(await eventually(isRight))
  await cluster.client.delete(KINDS.configMap, at)
  t.true(await eventually(isRight))
  await cluster.client.mergePatch(KINDS.configMap, at, { data: { 'root-cert.pem': 'forged' } })
  t.true(await eventually(isRight))
  const excluded = { ...at, namespace: 'kube-public' }
  t.is(await cluster.client.get(KINDS.configMap, excluded), undefined)
})

test('a leader that loses its lease before the first lists are in lets go, so that it can be one again', async (t) => {
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  const term = new AbortController()
  const done = keepRootCertificates(
    {
      client: cluster.client,
      authority: new Watchable(CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' }).ca),
      namespaces: new ObjectSet<KubeObject>(),
      configMaps: new ObjectSet<RootConfigMap>(),
      clock: systemClock,
      logger,
    },
    term.signal,
  )
  term.abort(new Error('lost the lease'))
  await t.notThrowsAsync(done)
})
