// Stands in for a web server image: serves /usr/share/nginx/html if something is mounted there, else a greeting.
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, normalize } from 'node:path'
import { flags, serveHttp } from './serve.ts'

const options = flags(process.argv.slice(2))
const root = options['root'] ?? '/usr/share/nginx/html'

serveHttp(Number(options['port'] ?? 80), async (request, response) => {
  request.resume()
  const path = normalize(join('/', new URL(request.url ?? '/', 'http://web').pathname))
  const content = await readFile(join(root, path.endsWith('/') ? `${path}index.html` : path)).catch(() => undefined)
  if (content !== undefined) response.writeHead(200).end(content)
  else if (path !== '/') response.writeHead(404).end('not found\n')
  else response.writeHead(200, { 'content-type': 'text/html' }).end(`<h1>Welcome</h1><p>${hostname()}</p>\n`)
})
