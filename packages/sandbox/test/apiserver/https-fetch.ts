import { Agent, request } from 'node:https'

interface Init {
  readonly method: string
  readonly body: string | undefined
  readonly headers: Record<string, string>
}

/** A client that trusts one authority. */
export function httpsFetch(caPem: string) {
  const agent = new Agent({ ca: caPem, keepAlive: true })
  const fetch = (url: string, init: Init): Promise<{ status: number; headers: Headers; body: unknown }> =>
    new Promise((resolve, reject) => {
      // Without a length Node would send the body of a DELETE as if it were the next request.
      const length = init.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(init.body)) }
      const call = request(url, { agent, method: init.method, headers: { ...init.headers, ...length } }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => {
          const text = Buffer.concat(parts).toString()
          let body: unknown = text
          try {
            body = JSON.parse(text)
          } catch {
            // Plain text.
          }
          resolve({
            status: response.statusCode ?? 0,
            headers: new Headers(response.headers as Record<string, string>),
            body,
          })
        })
        response.on('error', reject)
      })
      call.on('error', reject)
      call.end(init.body)
    })
  return { fetch, close: () => agent.destroy() }
}
