import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Server as NetServer } from 'node:net'
import { parseArgs } from 'node:util'
import { collectBytes } from '@ambit/core'

/** Bytes of a request body that these programs read. */
export const MAX_BODY_BYTES: number = 1024 * 1024

/** Listens on every address of the pod and ends quietly on SIGTERM. */
export function listenForever(server: NetServer, port: number): void {
  const end = (): void => {
    server.close(() => process.exit(0))
    if (isHttp(server)) server.closeIdleConnections()
    // Whoever keeps a connection open doesn't hold up the end for long.
    setTimeout(() => process.exit(0), 1000).unref()
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  server.on('error', (error) => {
    process.stderr.write(`cannot listen on port ${port}: ${error.message}\n`)
    process.exit(1)
  })
  server.listen({ port, host: '::', ipv6Only: false }, () => process.stdout.write(`listening on port ${port}\n`))
}

function isHttp(server: NetServer): server is Server {
  return 'closeIdleConnections' in server
}

export function serveHttp(
  port: number,
  handler: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): void {
  const listener: RequestListener = (request, response) => {
    void (async () => {
      try {
        await handler(request, response)
      } catch (error) {
        if (!response.headersSent) response.writeHead(500)
        response.end(`${error instanceof Error ? error.message : String(error)}\n`)
      }
    })()
  }
  listenForever(createServer(listener), port)
}

/** Flags in the manner of Go programs: `-text=hello`, `--text hello`. Unknown ones are passed over. */
export function flags(args: readonly string[]): Readonly<Record<string, string>> {
  const normalized = args.map((arg) => (/^-[a-z][a-z-]+/i.test(arg) ? `-${arg}` : arg))
  const { tokens } = parseArgs({ args: [...normalized], strict: false, allowPositionals: true, tokens: true })
  const found: Record<string, string> = {}
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'option') continue
    const next = tokens[index + 1]
    found[token.name] = token.value ?? (next?.kind === 'positional' ? next.value : 'true')
  }
  return found
}

export function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(value, undefined, 2)}\n`)
}

/** The peer's address without the prefix of IPv4 in IPv6. */
export function peerAddress(request: { readonly socket: { readonly remoteAddress?: string | undefined } }): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const body = await collectBytes(request, MAX_BODY_BYTES)
  if (body === undefined) throw new Error('body too large')
  return body
}
