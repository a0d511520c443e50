// Asks a name server one question and prints what came back: `dns-query <udp|tcp> <server> <name> <type number>`.
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'

const LIMIT_MS = 5000

const [protocol = 'udp', server = '', name = '', type = '1'] = process.argv.slice(2)
const id = 4711

const header = Buffer.alloc(12)
header.writeUInt16BE(id, 0)
header.writeUInt16BE(0x0100, 2) // recursion desired
header.writeUInt16BE(1, 4)
const labels = name.split('.').filter((label) => label !== '')
const encoded = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
const question = Buffer.from([0, 0, 0, 0, 0])
question.writeUInt16BE(Number(type), 1)
question.writeUInt16BE(1, 3)
const query = Buffer.concat([header, ...encoded, question])

setTimeout(() => {
  process.stderr.write(`no answer from ${server} over ${protocol}\n`)
  process.exit(1)
}, LIMIT_MS).unref()

const answer = protocol === 'tcp' ? await overTcp() : await overUdp()
const flags = answer.readUInt16BE(2)
process.stdout.write(
  `${JSON.stringify({
    id: answer.readUInt16BE(0) === id,
    rcode: flags & 0x0f,
    truncated: (flags & 0x0200) !== 0,
    answers: answer.readUInt16BE(6),
    authorities: answer.readUInt16BE(8),
    bytes: answer.subarray(4).toString('hex'),
  })}\n`,
)
process.exit(0)

function overUdp(): Promise<Buffer> {
  const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4')
  socket.send(query, 53, server)
  return new Promise((resolve) => socket.once('message', resolve))
}

function overTcp(): Promise<Buffer> {
  const socket = connect(53, server)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(query.length)
  socket.write(Buffer.concat([length, query]))
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) resolve(received.subarray(2))
    })
  })
}
