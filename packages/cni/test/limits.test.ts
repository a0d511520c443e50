import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ANNOTATIONS } from '@ambit/api'
import { silentLogger } from '@ambit/core'
import test, { type ExecutionContext } from 'ava'
import { MAX_REROUTE_INTERFACES, PLUGIN_MAX_BODY_BYTES, PLUGIN_MAX_CONNECTIONS } from '../src/limits.ts'
import { PluginServer } from '../src/plugin-server.ts'
import { decodePod } from '../src/pod-facts.ts'
import { redirectOptions } from '../src/redirect-options.ts'

const EVENT = { Netns: '/run/netns/x', PodName: 'p', PodNamespace: 'n', IPs: [] }

async function withServer(t: ExecutionContext, use: (path: string, codes: string[]) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'plugin-'))
  const path = join(folder, 's.sock')
  const codes: string[] = []
  const requests = { add: (labels: Readonly<Record<string, string>>) => void codes.push(labels['response_code'] ?? '') }
  await using _server = await PluginServer.listen(
    {
      logger: silentLogger,
      requests,
      onAdd: () => Promise.resolve(),
      onDecide: () => Promise.resolve(undefined),
      onCheck: () => Promise.resolve(undefined),
    },
    path,
  )
  try {
    await use(path, codes)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  t.pass()
}

function post(socketPath: string, body: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const asked = request({ socketPath, path: '/cmdadd', method: 'POST' }, (response) => {
    response.resume()
    resolve(response.statusCode ?? 0)
  })
  asked.on('error', reject)
  asked.end(body)
  return promise
}

test('a report above the limit is 413, others go on', async (t) => {
  await withServer(t, async (path, codes) => {
    const padded = (size: number): string => JSON.stringify({ ...EVENT, padding: 'x'.repeat(size) })
    t.is(await post(path, padded(PLUGIN_MAX_BODY_BYTES)), 413)
    t.is(await post(path, padded(1000)), 200)
    t.deepEqual(codes, ['413', '200'])
  })
})

test('connections of the plugin above the limit are closed', async (t) => {
  await withServer(t, async (path) => {
    const open: Socket[] = []
    for (let i = 0; i < PLUGIN_MAX_CONNECTIONS; i++) {
      const socket = connect(path)
      await once(socket, 'connect')
      open.push(socket)
    }
    const refused = connect(path)
    refused.on('error', () => undefined)
    await once(refused, 'close')
    for (const socket of open) socket.destroy()
    await Promise.all(open.map((socket) => once(socket, 'close')))
  })
})

test('interfaces of an annotation above the limit are ignored by name', (t) => {
  const names = Array.from({ length: MAX_REROUTE_INTERFACES + 2 }, (_, index) => `tap${index}`)
  const annotations = { [ANNOTATIONS.rerouteVirtualInterfaces]: names.join(',') }
  const pod = decodePod({ metadata: { uid: 'u', name: 'p', namespace: 'n', annotations } })
  if (pod === undefined) return t.fail()
  const defaults = { dnsCapture: true, ipv6: true, probeIpv4: '169.254.7.127', probeIpv6: 'fd16::1' }
  const { options, ignored } = redirectOptions(pod, true, defaults)
  t.deepEqual(options.rerouteInterfaces, names.slice(0, MAX_REROUTE_INTERFACES))
  t.deepEqual(ignored, names.slice(MAX_REROUTE_INTERFACES))
})
