import { ip } from '@ambit/core'
import { HboneConnectError, HboneLimitError, HboneResetError, HboneStatusError, HboneTlsError } from '@ambit/hbone'
import { IdentityError } from '@ambit/identity'
import test from 'ava'
import type { ConnectionFailure } from '../src/failures.ts'
import { hboneFailure } from '../src/hbone-failure.ts'

const TO = { ip: ip('10.0.0.1'), port: 15008 }
const OWNER = { trustDomain: 'td', namespace: 'ns', serviceAccount: 'sa' }
const timeout = Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })

const seen = test.macro({
  exec(t, error: unknown, flag: ConnectionFailure['flag'], message: RegExp) {
    const failure = hboneFailure(error, TO)
    t.is(failure.flag, flag)
    t.regex(failure.message, message)
  },
  title: (name) => `a tunnel that could not be opened: ${name}`,
})

test('its status', seen, new HboneStatusError(401, 'x'), 'CONNECT', /^http status: 401 Unauthorized$/)
test('TLS', seen, new HboneTlsError('x'), 'TLS_FAILURE', /^tls error: x$/)
test('HTTP/2', seen, new HboneResetError(1, 'x'), 'H2_HANDSHAKE_FAILURE', /^h2 failed: x$/)
test('a certificate', seen, new IdentityError(OWNER, 'x'), 'IDENTITY_ERROR', /^identity error: .*x/)
test('no answer', seen, new HboneConnectError('x', { cause: timeout }), 'NETWORK_POLICY', /blocking HBONE port 15008/)
test('no connection', seen, new HboneConnectError('x'), 'CONNECT', /^connection failed: x$/)
test('a limit', seen, new HboneLimitError('x'), 'CONNECT', /^connection failed: x$/)
