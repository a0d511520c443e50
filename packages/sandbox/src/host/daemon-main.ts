// Entry point of the daemon: `node daemon-main.ts <config.json>`.
import { messageOf } from '@ambit/core'
import { readConfig, runDaemon } from './daemon.ts'
import type { DaemonLine } from './messages.types.ts'

// Whoever started us reads progress until we are ready, then goes away.
const abandoned = new AbortController()
let known = false
process.stdout.on('error', () => undefined)
const tell = (line: DaemonLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`, (error) => {
    if (error instanceof Error && !known) abandoned.abort()
    known ||= line.type === 'ready'
  })
}

try {
  await runDaemon(readConfig(process.argv[2] ?? ''), tell, abandoned.signal)
  process.exit(0)
} catch (error) {
  tell({ type: 'failed', message: messageOf(error) })
  process.exit(1)
}
