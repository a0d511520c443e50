// Entry point inside the namespaces: `node inner-main.ts <config.json> <port>`, with a channel to the daemon.
import { once } from 'node:events'
import type { Server } from 'node:net'
import { messageOf, systemClock } from '@ambit/core'
import { createLogger } from '@ambit/telemetry'
import { startCluster } from '../cluster.ts'
import { keepCompiledCode } from '../images/compiled-code.ts'
import { readConfig } from './daemon.ts'
import { DaemonPorts } from './machine-ports.ts'
import type { FromInner, ToInner } from './messages.types.ts'

const config = readConfig(process.argv[2] ?? '')
const port = Number(process.argv[3])
const logger = createLogger({
  level: config.logLevel,
  scope: 'sandbox',
  write: (line) => void process.stderr.write(line),
})
const tell = (message: FromInner): void => void process.send?.(message)

// The daemon's death is ours, and with us goes every process of the namespaces.
process.once('disconnect', () => process.exit(0))
process.on('unhandledRejection', (error) =>
  logger.error('unhandled rejection', {
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }),
)
process.on('uncaughtException', (error) => logger.error('uncaught exception', { error: error.stack ?? error.message }))

try {
  const received = once(process, 'message') as Promise<[ToInner, Server]>
  tell({ type: 'want-listener' })
  const [, server] = await received
  // Until the API server listens too, nobody would answer.
  server.on('connection', (socket) => {
    if (server.listenerCount('connection') === 1) socket.resetAndDestroy()
  })
  const end = new AbortController()
  const compiled = compileAhead(end.signal)
  const cluster = await startCluster({
    config,
    server,
    port,
    logger,
    clock: systemClock,
    ports: new DaemonPorts(process),
    onProgress: (text) => tell({ type: 'progress', text }),
  })
  process.on('message', (message: ToInner) => {
    if (message.type !== 'shutdown') return
    end.abort()
    void cluster.close().finally(() => process.exit(0))
  })
  await compiled
  tell({ type: 'ready', kubeconfig: cluster.kubeconfig })
} catch (error) {
  logger.error('the sandbox could not be started', {
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
  process.on('message', () => process.exit(1))
  tell({ type: 'failed', message: messageOf(error) })
}

/** At the first start of a version. Whoever installs the mesh next would wait for the same, once for each component. */
async function compileAhead(signal: AbortSignal): Promise<void> {
  const { workspace, compileCache: folder } = config
  if (folder === undefined) return
  await keepCompiledCode({ workspace, folder, signal }).catch((error: unknown) =>
    logger.info('compiled code is not kept, so starts stay slower', { error: messageOf(error) }),
  )
}
