// Runs programs and waits for them, so that Ctrl-C ends them first, in order, and only then us.
// Plain JavaScript: read by whatever Node (>= 20) the machine has.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { descendantsOf } from './descendants.mjs'

/** The person, or the system, wants us to end. */
export class Interrupted extends Error {
  constructor(signal) {
    super('interrupted')
    this.exitCode = 128 + constants.signals[signal]
  }
}

const running = new Set()
let interruptedBy

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interruptedBy ??= signal
    // A terminal tells the whole group, others only us; what we start bears hearing it twice.
    for (const child of running) child.kill(signal)
  })
}

// Whoever reads our output may go away before we are done (`| head`).
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error
    interruptedBy ??= 'SIGPIPE'
    for (const child of running) child.kill('SIGTERM')
  })
}

/** As the shell says of what `timeout` ended. */
const LIMIT_REACHED = 124

/**
 * Resolves with the exit status when the program has ended, and with what it printed where `stdio` is left to us.
 * Rejects with Interrupted when a signal came meanwhile. After `limitMs` it is killed with all it started, and the status is 124.
 */
export async function runProgram(program, args, options = {}) {
  const { outliveInterrupt = false, limitMs, ...rest } = options
  if (interruptedBy !== undefined && !outliveInterrupt) throw new Interrupted(interruptedBy)
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...rest })
  running.add(child)
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text))
  let isOverLimit = false
  const limit =
    limitMs === undefined
      ? undefined
      : setTimeout(() => {
          isOverLimit = true
          stderr += `${program}: not done after ${limitMs / 60_000} minutes, so it was killed; what still ran:\n`
          for (const { pid, command } of descendantsOf(child.pid)) {
            stderr += `  ${pid} ${command.slice(0, 200)}\n`
            kill(pid)
          }
          kill(child.pid)
        }, limitMs)
  const status = await new Promise((resolve) => {
    child.once('error', (error) => {
      stderr += `${program}: ${error.code === 'ENOENT' ? 'this program was not found' : error.message}\n`
      resolve(127)
    })
    child.once('close', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)))
  })
  clearTimeout(limit)
  running.delete(child)
  if (interruptedBy !== undefined && !outliveInterrupt) throw new Interrupted(interruptedBy)
  return { status: isOverLimit ? LIMIT_REACHED : status, stdout, stderr }
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
