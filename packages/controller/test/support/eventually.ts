import { setTimeout as delay } from 'node:timers/promises'

/** The first answer that is neither undefined nor false; for effects of another process that nobody announces. */
export async function eventually<T>(ask: () => Promise<T | undefined | false>, timeoutMs = 10_000): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`nothing within ${timeoutMs} ms`)
    await delay(20)
  }
}
