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
const giveUp = new AbortController()
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.once(name, () => {
    stopped.resolve(name)
    giveUp.abort(new Error(`stopped by ${name} before it was ready`))
  })
}

try {
  await using _controller = await startController(config, { logger, metrics, giveUp: giveUp.signal })
  logger.info('stopping', { signal: await stopped.promise })
} catch (error) {
  if (giveUp.signal.aborted) logger.info('stopping', { reason: messageOf(error) })
  else {
    logger.error(`control plane failed: ${messageOf(error)}`)
    process.exitCode = 1
  }
}
process.exit()
