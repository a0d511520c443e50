// Prints the TCP segments of a network namespace with their payload, for one host: `wiretap --host 10.244.2.4`.
// Debian's tcpdump gives its root rights up at start, which is impossible where there is only one user (rootless).
import { read } from 'node:fs'
import { parseIp } from '@ambit/core'
import { openPacketSocket } from '@ambit/linux'
import { flags } from './serve.ts'
import { concerns, describePacket, parseTcpPacket } from './tcp-packet.ts'

/** Longest packet that is read whole: segmentation offload makes them up to 64 KiB. */
const MAX_PACKET_BYTES = 65_536

const host = parseIp(flags(process.argv.slice(2))['host'] ?? '')
if (host === undefined) {
  process.stderr.write('usage: wiretap --host IP\n')
  process.exit(2)
}

const socket = openPacketSocket()
const buffer = Buffer.alloc(MAX_PACKET_BYTES)
process.on('SIGTERM', () => process.exit(0))
process.stdout.write(`listening for TCP of ${host}\n`)
next()

function next(): void {
  read(socket, buffer, 0, buffer.length, null, (error, length) => {
    if (error !== null) {
      process.stderr.write(`wiretap: ${error.message}\n`)
      process.exit(1)
    }
    const packet = parseTcpPacket(buffer.subarray(0, length))
    if (packet !== undefined && host !== undefined && concerns(packet, host)) {
      process.stdout.write(`${describePacket(packet)}\n`)
    }
    next()
  })
}
