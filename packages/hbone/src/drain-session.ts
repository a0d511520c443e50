import type { Clock } from '@ambit/core'
import type { ServerSession } from './engine.types.ts'
import { DRAIN_PING_MS } from './limits.ts'

/** Tells the peer in two steps (T23): first "no more", then, a round trip later, what was the last stream served. Resolves when it is gone. */
export async function drainSession(session: ServerSession, clock: Clock): Promise<void> {
  session.announceDrain()
  const answered = Promise.withResolvers<void>()
  // Node's client closes on the announcement when it is idle, and answers no ping any more.
  using _timer = clock.after(DRAIN_PING_MS, answered.resolve)
  void session.ping().then(answered.resolve, answered.resolve)
  await Promise.race([answered.promise, session.closed])
  session.finishDrain()
  await session.closed
}
