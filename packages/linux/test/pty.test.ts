import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import test from 'ava'
import { openPty } from '../src/index.ts'

test('a shell on a pty sees a terminal of the size set, and reads what is typed', async (t) => {
  const pty = openPty()
  pty.resize(101, 33)
  const script = 'test -t 0 && echo terminal; stty size; read line; echo "got:$line"'
  const child = spawn('setsid', ['--ctty', '--wait', 'sh', '-c', script], {
    stdio: [pty.slaveFd, pty.slaveFd, pty.slaveFd],
  })
  closeSync(pty.slaveFd)
  const master = new ReadStream(pty.master)
  let output = ''
  master.on('error', () => undefined)
  master.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.includes('33 101') && !output.includes('typed'))
      (master as unknown as NodeJS.WritableStream).write('typed\n')
  })
  const drained = new Promise((resolve) => master.once('close', resolve))
  await Promise.all([once(child, 'exit'), drained])
  t.regex(output, /terminal\r\n33 101\r\n/)
  t.regex(output, /got:typed/)
})
