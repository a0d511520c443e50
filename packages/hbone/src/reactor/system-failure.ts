import { getSystemErrorMap } from 'node:util'

/** How a TCP peer goes away in everyday life; the other side gets a clean end (T12). */
const ORDINARY_ENDS: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE', 'ENOTCONN'])

/** The error number, below zero, as people know it. */
export function systemFailure(error: number): { readonly message: string; readonly code: string } {
  const [code, text] = getSystemErrorMap().get(error) ?? [`E${-error}`, 'unknown error']
  return { message: `${code}: ${text}`, code }
}

/** As Node's own sockets have it, for those who look at `code`. */
export function systemError(failure: string, code: string | number | undefined): Error | undefined {
  return typeof code === 'string' ? Object.assign(new Error(failure), { code, syscall: 'connect' }) : undefined
}

export function isOrdinary(code: string): boolean {
  return ORDINARY_ENDS.has(code)
}
