// A load client in the manner of fortio: `fortio load [-c 4] [-qps 8] [-n 20 | -t 5s] URL`, `fortio curl URL`, `fortio server`.
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type LoadOptions, loadOptions } from './fortio/load-options.ts'
import { type Outcome, summary } from './fortio/summary.ts'
import { json, serveHttp } from './serve.ts'

const [mode = 'server', ...args] = process.argv.slice(2)
const SERVER_PORT = 8080
const REQUEST_TIMEOUT_MS = 3000

if (mode === 'server') serve()
else {
  const options = loadOptions(args)
  if (options.url === undefined || (mode !== 'load' && mode !== 'curl')) {
    process.stderr.write(
      'usage: fortio load [-c N] [-qps Q] [-n N | -t 5s] [-H "name: value"] URL | curl URL | server\n',
    )
    process.exit(1)
  }
  if (mode === 'curl') await curl(options, options.url)
  else await load(options, options.url)
}

function serve(): void {
  serveHttp(SERVER_PORT, (asked, response) => {
    asked.resume()
    const url = new URL(asked.url ?? '/', 'http://fortio')
    const status = Number(url.searchParams.get('status') ?? 200)
    json(response, status >= 200 && status <= 599 ? status : 200, { path: url.pathname, headers: asked.headers })
  })
}

async function curl(options: LoadOptions, url: string): Promise<void> {
  const { code } = await once(options, url, new Agent(), (chunk) => void process.stdout.write(chunk))
  process.exitCode = code >= 200 && code < 400 ? 0 : 1
}

async function load(options: LoadOptions, url: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections })
  const outcomes: Outcome[] = []
  const began = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    for (;;) {
      const index = next++
      if (options.durationMs === undefined && index >= options.calls) return
      const due = began + (options.qps > 0 ? (index * 1000) / options.qps : 0)
      if (due > performance.now()) await delay(due - performance.now())
      if (options.durationMs !== undefined && performance.now() - began >= options.durationMs) return
      outcomes.push(await once(options, url, agent, () => undefined))
    }
  }
  await Promise.all(Array.from({ length: options.connections }, worker))
  agent.destroy()
  process.stdout.write(summary(outcomes, { connections: options.connections, tookMs: performance.now() - began }))
}

function once(o: LoadOptions, url: string, agent: Agent, onData: (chunk: Buffer) => void): Promise<Outcome> {
  const began = performance.now()
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const done = (code: number): void => resolve({ code, ms: performance.now() - began })
  const asked = request(url, { agent, headers: o.headers, timeout: REQUEST_TIMEOUT_MS }, (response) => {
    response.on('data', onData)
    response.on('end', () => done(response.statusCode ?? -1))
    response.on('error', () => done(-1))
  })
  asked.on('timeout', () => asked.destroy())
  // Without an answer the code is -1, as in fortio's own table.
  asked.on('error', () => done(-1))
  asked.end()
  return promise
}
