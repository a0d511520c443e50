import type { TokenVerdict } from '@ambit/kube'
import type { AdminResponse } from '@ambit/telemetry'
import test from 'ava'
import { restrictDebug } from '../src/debug-access.ts'

const tokenOf = (namespace: string): TokenVerdict => ({
  authenticated: true,
  caller: { namespace, serviceAccount: 'default', podName: undefined, podUid: undefined },
})

function ask(path: string, remoteAddress: string | undefined, authorization?: string): Promise<AdminResponse> {
  const [route] = restrictDebug([{ method: 'GET', path, handle: () => ({ body: 'the mesh' }) }], {
    namespace: 'istio-system',
    tokens: {
      authenticate: (token) =>
        Promise.resolve(
          token.startsWith('of-') ? tokenOf(token.slice(3)) : { authenticated: false, reason: 'unknown' },
        ),
    },
  })
  const { signal } = new AbortController()
  const headers = authorization === undefined ? {} : { authorization }
  const request = {
    method: 'GET',
    path,
    query: new URLSearchParams(),
    headers,
    body: Buffer.alloc(0),
    remoteAddress,
    signal,
  }
  return Promise.resolve(route?.handle(request) ?? { body: '' })
}

const allowed = test.macro(async (t, ...args: Parameters<typeof ask>) => t.is((await ask(...args)).body, 'the mesh'))
const refused = test.macro(async (t, ...args: Parameters<typeof ask>) => {
  const answer = await ask(...args)
  t.is(answer.status, 401)
  t.true(typeof answer.body === 'string' && answer.body.includes('port-forward'))
})

for (const loopback of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
  test(`from ${loopback}, where a port-forward ends, the mesh is shown`, allowed, '/debug/syncz', loopback)
test("with a token of the control plane's namespace", allowed, '/debug/syncz', '10.0.0.1', 'Bearer of-istio-system')
test("readiness is everybody's", allowed, '/ready', '10.0.0.1')
test('without a token', refused, '/debug/ambientz', '10.0.0.1')
test('with a token of another namespace', refused, '/debug/ambientz', '10.0.0.1', 'Bearer of-shop')
test('with a token nobody knows', refused, '/debug/ambientz', '::ffff:10.0.0.1', 'Bearer abc')
test('with another scheme', refused, '/debug/ambientz', '10.0.0.1', 'Basic of-istio-system')
test('when the peer is unknown', refused, '/debug/ambientz', undefined)
