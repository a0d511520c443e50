import { messageOf, systemClock } from '@ambit/core'
import { createLogger, PrometheusMetrics, registerProcessMetrics } from '@ambit/telemetry'
import { startController } from './app.ts'
import { readConfig } from './config.ts'
import { readEnv } from './env.ts'

const config = readConfig(readEnv())
const logger = createLogger({
  format: config.logJson ? 'json' : 'plain',
  level: config.logLevel,
  scope: 'istiod',
  clock: systemClock,
})
const metrics = new PrometheusMetrics()
using _processMetrics = registerProcessMetrics(metrics)

const stopped = Promise.withResolvers<string>()
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopped.resolve(name))

try {
  await using _controller = await startController(config, { logger, metrics })
  logger.info('stopping', { signal: await stopped.promise })
} catch (error) {
  logger.error(`control plane failed: ${messageOf(error)}`)
  process.exitCode = 1
}
process.exit()
