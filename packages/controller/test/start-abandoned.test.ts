import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { KubeConfig } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import { startController } from '../src/app.ts'
import { readConfig } from '../src/config.ts'

test('a control plane that is stopped while the API server says nothing stops at once', async (t) => {
  const silent = createServer((socket) => void socket.on('error', () => undefined).resume())
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => void silent.close())
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromOptions({
    clusters: [
      { name: 'c', server: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, skipTLSVerify: true },
    ],
    users: [{ name: 'u', token: 'token' }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  })
  const giveUp = new AbortController()
  const asked = once(silent, 'connection')
  const started = startController(
    readConfig({
      variables: {},
      args: ['--monitoringAddr=:0', '--httpAddr=:0', '--secureGRPCAddr=:0', '--httpsAddr=:0'],
    }),
    {
      logger: new RecordingLogger(),
      metrics: new PrometheusMetrics(),
      kubeConfig,
      listenIp: '127.0.0.1',
      giveUp: giveUp.signal,
    },
  )
  await asked
  giveUp.abort(new Error('stopped by SIGTERM before it was ready'))
  await t.throwsAsync(started, { message: /SIGTERM/ })
})
