import { badRequest } from '../status-error.ts'

export interface StreamOptions {
  readonly container: string | undefined
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

const isTrue = (value: string | null): boolean => value === 'true' || value === '1'

/** Options of exec and attach from the query. */
export function streamOptions(query: URLSearchParams, isExec: boolean): StreamOptions {
  const command = query.getAll('command')
  if (isExec && command.length === 0) throw badRequest('you must specify at least 1 command for the container')
  const stdin = isTrue(query.get('stdin'))
  const tty = isTrue(query.get('tty'))
  const stdout = isTrue(query.get('stdout'))
  const stderr = !tty && isTrue(query.get('stderr'))
  if (!stdin && !stdout && !stderr) throw badRequest('you must specify at least one of stdin, stdout, stderr')
  return { container: query.get('container') ?? undefined, command, stdin, stdout, stderr, tty }
}

/** Ports of a port-forward. */
export function portsOf(query: URLSearchParams): readonly number[] {
  const ports = query.getAll('ports').flatMap((text) => text.split(','))
  return ports.map((text) => parsePort(text))
}

export function parsePort(text: string | undefined): number {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0
  if (port < 1 || port > 65_535) throw badRequest(`${JSON.stringify(text ?? '')} is no port`)
  return port
}
