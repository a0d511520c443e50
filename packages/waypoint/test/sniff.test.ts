import { PassThrough } from 'node:stream'
import { FakeClock } from '@ambit/testing'
import test from 'ava'
import { SNIFF_TIMEOUT_MS } from '../src/limits.ts'
import { detectProtocol, sniff } from '../src/tunnel/sniff.ts'

const UNDECLARED = { detect: detectProtocol, silent: 'tcp' } as const

test('who says nothing speaks TCP, who began to speak never becomes it by waiting', async (t) => {
  for (const [said, want] of [
    ['', 'tcp'],
    ['G', 'http1'],
    ['\r\n', 'http1'],
    ['GET', 'http1'],
    ['GET /', 'http1'],
    ['PRI * ', 'http1'],
  ] as const) {
    const clock = new FakeClock()
    const stream = new PassThrough()
    if (said !== '') stream.write(said)
    const found = sniff(stream, clock, UNDECLARED)
    await clock.advance(SNIFF_TIMEOUT_MS)
    t.is(await found, want, JSON.stringify(said))
    t.is(String(stream.read() ?? ''), said)
  }
})

test('where requests are treated silence is waited out', async (t) => {
  const clock = new FakeClock()
  const stream = new PassThrough()
  const found = sniff(stream, clock, { ...UNDECLARED, silent: undefined })
  await clock.advance(SNIFF_TIMEOUT_MS)
  stream.write('GET / HTTP/1.1\r\n')
  t.is(await found, 'http1')
})
