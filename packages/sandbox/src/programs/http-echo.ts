// Answers every request with one text: `-text=…`, `-listen=:5678`.
import { flags, serveHttp } from './serve.ts'

const options = flags(process.argv.slice(2))
const text = options['text'] ?? process.env['ECHO_TEXT'] ?? 'hello-world'
const status = Number(options['status-code'] ?? 200)
const port = Number((options['listen'] ?? ':5678').split(':').at(-1))

serveHttp(port, (request, response) => {
  request.resume()
  response
    .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-app-name': 'http-echo' })
    .end(`${text}\n`)
})
