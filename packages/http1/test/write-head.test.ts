import test from 'ava'
import { Http1Error, headText, writeHead } from '../src/index.ts'

test('a head says what it is given, with its body in one piece', (t) => {
  const text = headText('HTTP/1.1 200 OK', ['x-a', '1', 'x-b', '\xe4'], 'connection: close\r\n')
  t.is(text, 'HTTP/1.1 200 OK\r\nx-a: 1\r\nx-b: \xe4\r\nconnection: close\r\n\r\n')
  t.is(writeHead(text, Buffer.from('hi'), '2\r\n', '\r\n').toString('latin1'), `${text}2\r\nhi\r\n`)
  t.is(writeHead('', undefined).length, 0)
})

test('nothing that would become another line or another byte is written', (t) => {
  for (const bad of ['a\r\nb: c', 'a\nb', 'a\rb', 'a\0b', 'a\x7fb', 'a\u0100b', 'a\u560ab']) {
    t.throws(() => headText('GET / HTTP/1.1', ['x', bad]), { instanceOf: Http1Error }, bad)
    t.throws(() => headText(`GET /${bad} HTTP/1.1`, []), { instanceOf: Http1Error }, bad)
    t.throws(() => headText('GET / HTTP/1.1', [bad, 'x']), { instanceOf: Http1Error }, bad)
  }
  for (const name of ['', 'a b', 'a:', 'a(']) t.throws(() => headText('GET / HTTP/1.1', [name, 'x']), undefined, name)
})
