// Istio's helloworld sample: says its version and instance on /hello, port 5000.
import { hostname } from 'node:os'
import { flags, serveHttp } from './serve.ts'

const version = process.env['SERVICE_VERSION'] ?? flags(process.argv.slice(2))['version'] ?? 'unknown'

serveHttp(5000, (request, response) => {
  request.resume()
  if (request.url === '/hello') response.end(`Hello version: ${version}, instance: ${hostname()}\n`)
  else if (request.url === '/health') response.end('Helloworld is healthy\n')
  else response.writeHead(404).end()
})
