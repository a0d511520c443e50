// The measured side: the sandbox's API server alone, with its longest pauses told on request over IPC.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '@ambit/core'
import { createApiServer } from '../../packages/sandbox/src/apiserver/create-api-server.ts'
import { DataFolder } from '../../packages/sandbox/src/host/data-folder.ts'
import { createClusterPki } from '../../packages/sandbox/src/pki/cluster-pki.ts'
import { createLogger } from '../../packages/telemetry/src/index.ts'

export type FromServer =
  | { readonly type: 'ready'; readonly port: number; readonly caPem: string }
  | {
      readonly type: 'pauses'
      /** Between two turns of the event loop, by the clock on the wall. */
      readonly longestMs: number
      /** The same by the processor's time of the thread, which others on the machine don't lengthen. */
      readonly busyMs: number
      readonly cpuMs: number
      readonly rssMb: number
    }

const [token = '', folder] = process.argv.slice(2)
const pki = createClusterPki({ names: ['127.0.0.1'], nowMs: Date.now() })
const server = createServer()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const none = (): Promise<never> => Promise.reject(new Error('no pods run here'))
await createApiServer({
  server,
  tls: { certPem: pki.server.certPem, keyPem: pki.server.keyPem, clientCaPem: pki.caPem },
  adminToken: token,
  journal: folder === undefined ? undefined : DataFolder.open(folder),
  runtime: { exec: none, logs: none, portForward: none },
  logger: createLogger({ level: 'warn', scope: 'api', write: (line) => void process.stderr.write(line) }),
  clock: systemClock,
})
const delay = monitorEventLoopDelay({ resolution: 1 })
let cpu = process.cpuUsage()
delay.enable()
const ownMs = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
let busyMs = 0
let lastMs = ownMs()
setInterval(() => {
  const nowMs = ownMs()
  busyMs = Math.max(busyMs, nowMs - lastMs)
  lastMs = nowMs
}, 1)
process.on('message', () => {
  const used = process.cpuUsage(cpu)
  const message: FromServer = {
    type: 'pauses',
    longestMs: delay.max / 1e6,
    busyMs,
    cpuMs: (used.user + used.system) / 1000,
    rssMb: process.memoryUsage.rss() / 2 ** 20,
  }
  process.send?.(message)
  delay.reset()
  busyMs = 0
  cpu = process.cpuUsage()
})
process.on('disconnect', () => process.exit(0))
const ready: FromServer = { type: 'ready', port: (server.address() as AddressInfo).port, caPem: pki.caPem }
process.send?.(ready)
