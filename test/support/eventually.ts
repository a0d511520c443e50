/**
 * Asks again and again until the answer fits, for what has no event to wait on (kubectl, curl). Each question is a real
 * program that takes its own time, so nothing sleeps in between.
 */
export async function eventually<T>(
  ask: () => Promise<T>,
  fits: (answer: T) => boolean,
  limitMs: number,
  what: string,
): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (fits(answer)) return answer
    if (performance.now() > deadline)
      throw new Error(`${what}: not within ${limitMs} ms; last seen: ${JSON.stringify(answer)}`)
  }
}
