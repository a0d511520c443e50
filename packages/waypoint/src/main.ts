import { messageOf } from '@ambit/core'
import { raiseFileLimit } from '@ambit/linux'
import { App } from './app.ts'
import { configOfProcess } from './env.ts'

async function main(): Promise<number> {
  raiseFileLimit()
  await using app = await App.start(configOfProcess())
  process.on('uncaughtException', (error) => {
    app.logger.error('uncaught exception, exiting', { error: error.stack ?? messageOf(error) })
    process.exit(1)
  })
  const { promise: signalled, resolve } = Promise.withResolvers<void>()
  process.on('SIGTERM', () => resolve())
  process.on('SIGINT', () => {
    // Impatience: the second one ends at once.
    process.on('SIGINT', () => process.exit(0))
    resolve()
  })
  await Promise.race([signalled, app.quitRequested])
  await app.drain()
  return 0
}

// Exits explicitly: a connection that is still half open must not keep the process.
try {
  process.exit(await main())
} catch (error) {
  process.stderr.write(`waypoint cannot start: ${messageOf(error)}\n`)
  process.exit(1)
}
