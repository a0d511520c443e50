import { Duplex } from 'node:stream'
import test from 'ava'
import { Http1Call } from '../src/upstream/http1-call.ts'
import { Http1Upstream } from '../src/upstream/http1-connection.ts'

const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
const CHUNKS = '3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n'
const TO_END = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'

/** What a client that takes one piece a turn gets of an answer whose connection ends with it. */
async function taken(head: string, pieces: readonly string[]): Promise<string> {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done(), allowHalfOpen: false })
  stream.on('error', () => undefined)
  const call = new Http1Call(
    {
      method: 'GET',
      scheme: 'http',
      authority: 'web',
      target: '/',
      headers: [],
      isBodiless: true,
      upgrade: undefined,
    },
    { connection: new Http1Upstream(stream), isReused: false, onFree: () => undefined },
    { onInform: () => undefined },
  )
  call.endBody([])
  stream.push(head)
  const { body } = await call.answer
  for (const piece of pieces) stream.push(piece)
  stream.push(null)
  let text = ''
  const end = Promise.withResolvers<string>()
  body.read({
    onData: (chunk) => {
      text += chunk.toString()
      body.pause()
      // Behind the end of the connection and its close.
      setImmediate(() => setImmediate(() => body.resume()))
    },
    onEnd: () => end.resolve(text),
    onFailure: () => end.resolve(`${text} and no end`),
  })
  return await end.promise
}

test('a slow client gets all of an answer whose connection ended meanwhile', async (t) => {
  t.is(await taken(HEAD, [CHUNKS]), 'onetwothree')
  t.is(await taken(HEAD, [CHUNKS.slice(0, 12), CHUNKS.slice(12)]), 'onetwothree')
  t.is(await taken(HEAD + CHUNKS, []), 'onetwothree')
  t.is(await taken(`${TO_END}one`, ['two', 'three']), 'onetwothree')
})

test('an answer that is cut short stays so for a slow client', async (t) => {
  t.is(await taken(HEAD, [CHUNKS.slice(0, 18)]), 'onetwo and no end')
})
