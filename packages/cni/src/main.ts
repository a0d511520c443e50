// The node agent, container `install-cni` of DaemonSet `istio-cni-node`.
import { messageOf, systemClock } from '@ambit/core'
import { loadKubeConfig } from '@ambit/kube'
import { createLogger, PrometheusMetrics } from '@ambit/telemetry'
import { App } from './app.ts'
import { readConfig } from './env.ts'

const config = readConfig(process.env)
const logger = createLogger({ level: config.logLevel, format: config.logFormat, scope: 'cni' })
const app = new App({
  config,
  kubeConfig: loadKubeConfig({ kubeconfig: config.kubeconfig }),
  logger,
  metrics: new PrometheusMetrics(),
  clock: systemClock,
})

let stopping = false
async function stop(signal: NodeJS.Signals): Promise<void> {
  if (stopping) return
  stopping = true
  logger.info('stopping', { signal })
  await app.close().catch((error: unknown) => logger.error('stopping failed', { error: messageOf(error) }))
  process.exit(0)
}
process.on('SIGTERM', (signal) => void stop(signal))
process.on('SIGINT', (signal) => void stop(signal))

try {
  await app.start()
} catch (error) {
  // Told to stop meanwhile, it does so in its own time: an uninstallation must not be cut off.
  if (!stopping) {
    logger.error('node agent cannot start', { error: messageOf(error) })
    await app.close().catch(() => undefined)
    process.exit(1)
  }
}
