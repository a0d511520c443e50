import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import test from 'ava'
import { framedEngine } from '../src/framed-engine.ts'
import { frame, PREFACE } from './raw-peers.ts'

const PING = 6
const SETTINGS = 4
const MEBIBYTE = 1024 * 1024

test('a peer that asks and never reads the answers costs little, and is not answered without end', async (t) => {
  const tls = new Duplex({ read: () => undefined, write: () => undefined })
  tls.on('error', () => undefined)
  const session = framedEngine.serve(tls as unknown as TLSSocket, () => undefined)
  let failure: Error | undefined
  void session.closed.then((error) => {
    failure = error
  })
  tls.push(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]))
  const before = process.memoryUsage().arrayBuffers
  let [asked, peak] = [0, 0]
  while (asked < 9000 && peak < 64 * MEBIBYTE && failure === undefined) {
    tls.push(frame(PING, 0, 0, Buffer.alloc(8)))
    asked++
    // One turn each: what is said in one leaves together.
    await new Promise((resolve) => setImmediate(resolve))
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
  }
  session.destroy()
  t.true(peak < 16 * MEBIBYTE, `${Math.round(peak / MEBIBYTE)} MiB after ${asked} PINGs`)
  t.regex(failure?.message ?? 'none', /does not read/, `${asked} PINGs answered`)
})
