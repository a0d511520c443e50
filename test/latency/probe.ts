// Runs inside a pod: `node probe.ts HOST PORT`. Connects again and again and prints a line whenever that begins or
// ceases to work; with `--hold` it also keeps one connection open and prints when that is cut.
import { connect, type Socket } from 'node:net'

/** Pause between the starts of two connections, ms: the resolution of what is measured. */
const PAUSE_MS = 10
/** Connections that may wait for their answer at once. */
const MAX_WAITING = 16
/** A connection without an answer for so long failed, ms. */
const PATIENCE_MS = 5_000
/** A connection that took so long is worth a line, whatever came of it, ms. */
const SLOW_MS = 500

const [host = '', port = '', flag] = process.argv.slice(2)
const hold = flag === '--hold'
let works: boolean | undefined
/** Start of the connection that decided last; what began before it is old news. */
let decidedBy = 0
let waiting = 0
let held: Socket | undefined

function say(event: string, more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, atMs: performance.timeOrigin + performance.now(), ...more })}\n`)
}

function request(path: string): Socket {
  const socket = connect({ host, port: Number(port) })
  socket.on('error', () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
  return socket
}

function tryOnce(): void {
  const started = performance.now()
  let connected = false
  let answered = false
  waiting++
  const socket = request('/get')
  socket.setTimeout(PATIENCE_MS, () => socket.destroy())
  socket.once('connect', () => (connected = true))
  socket.once('data', () => {
    answered = true
    socket.destroy()
  })
  socket.once('close', () => {
    waiting--
    const ms = performance.now() - started
    if (ms > SLOW_MS) say('slow', { ms, connected, answered })
    if (started < decidedBy || answered === works) return
    works = answered
    decidedBy = started
    say(works ? 'works' : 'fails')
    if (hold && works && held === undefined) keepOne()
  })
}

function keepOne(): void {
  const socket = request('/drip?duration=3600&numbytes=3600&delay=0')
  held = socket
  socket.once('data', () => say('held'))
  socket.on('close', () => {
    if (held === socket) held = undefined
    say('cut')
  })
}

setInterval(() => {
  if (waiting < MAX_WAITING) tryOnce()
}, PAUSE_MS)
