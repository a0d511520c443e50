import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemClock } from '@ambit/core'
import { KubeConfig } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import test from 'ava'
import { App } from '../src/app.ts'
import { readConfig } from '../src/env.ts'

test('an agent that is stopped before the first lists are in stops, and its start says so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-start-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const listing = Promise.withResolvers<void>()
  const api = createServer((request, response) => {
    // Whether it is uninstalled it may know; the lists never come.
    if (request.url?.includes('/daemonsets/') === true) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'istio-cni-node' } }))
    } else listing.resolve()
  })
  api.listen(0, '127.0.0.1')
  await once(api, 'listening')
  t.teardown(() => {
    api.closeAllConnections()
    api.close()
  })
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromOptions({
    clusters: [{ name: 'c', server: `http://127.0.0.1:${(api.address() as AddressInfo).port}`, skipTLSVerify: true }],
    users: [{ name: 'u', token: 'token' }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  })
  const config = readConfig({
    NODE_NAME: 'n1',
    ALLOW_SWITCH_TO_HOST_NS: 'false',
    CNI_AGENT_RUN_DIR: folder,
    ZTUNNEL_UDS_ADDRESS: join(folder, 'z.sock'),
    HEALTH_PORT: '0',
    MONITORING_PORT: '0',
  })
  const metrics = new PrometheusMetrics()
  const app = new App({ config, kubeConfig, logger: silentLogger, metrics, clock: systemClock })
  const started = app.start()
  await listing.promise
  await Promise.all([t.throwsAsync(started, { message: /stopping/ }), app.close()])
})
