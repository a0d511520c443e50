import { KINDS, type KubeObject } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import { startController } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { startTestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import * as make from './support/objects.ts'

type ConfigMap = KubeObject & { readonly data: Readonly<Record<string, string>> }

test('the roots are in every namespace, come back when deleted and are repaired when changed', async (t) => {
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  await cluster.applyManifest('manifests/10-base.yaml')
  const config = readConfig({ variables: {}, args: ['--monitoringAddr=:0', '--httpAddr=:0', '--secureGRPCAddr=:0'] })
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
