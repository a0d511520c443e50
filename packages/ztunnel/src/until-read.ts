/** Resolves when what waited in this process' sockets has been taken out of them: after a whole turn of its loop. */
export function untilRead(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
