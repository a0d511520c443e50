// What somebody reads who sits on the link of the server's node.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { curlFrom, enrolled, podIps, ready } from '../support/mesh.ts'
import { Wiretap } from '../support/wiretap.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const ENDED = /Flags \[[SFRP.]*[FR]/

let cluster: Cluster
const taps: Wiretap[] = []
let aliceIps: string[]
let webIps: string[]

test.serial.before(async () => {
  cluster = await startCluster({ name: 'wire' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('outside') +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('outside', 'stranger', 'ambit-1') +
      server('shop', 'web', 'ambit-2', { dualStack: true }),
  )
  await ready(cluster, 'people', 'outside', 'shop')
  await enrolled(cluster, 'people', 'shop')
  aliceIps = await podIps(cluster, 'people/alice')
  webIps = await podIps(cluster, 'shop/web')
  // One after the other: both apply the namespace, and of two that create it at once one is refused.
  for (const [i, host] of webIps.entries()) {
    taps.push(await Wiretap.start(cluster, { name: `tap${i}`, node: 'ambit-2', host }))
  }
})

test.serial.after.always(async () => {
  for (const tap of taps) await tap[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

const families = [
  ['IPv4', '-4', 0],
  ['IPv6', '-6', 1],
] as const

for (const [family, flag, index] of families) {
  // Words of their own for each request: the tap may show the end of an earlier one late.
  const plainSecret = `secret-plain-${family}`
  const tunnelSecret = `secret-tunnel-${family}`
  const directSecret = `secret-direct-${family}`

  test.serial(`${family}: the wiretap reads along where one side is outside the mesh`, async (t) => {
    const tap = taps[index]
    tap?.forget()
    const answer = await curlFrom(
      cluster,
      'outside/stranger',
      flag,
      '-H',
      `x-secret: ${plainSecret}`,
      'http://web.shop:8000/headers',
    )
    t.is(answer.code, 0, answer.stderr)
    t.true(answer.stdout.includes(plainSecret))
    await tap?.until((text) => text.includes(plainSecret), 'the payload on the wire')
  })

  test.serial(`${family}: in the mesh it sees port 15008 only and no byte of the payload`, async (t) => {
    const tap = taps[index]
    tap?.forget()
    const answer = await curlFrom(
      cluster,
      'people/alice',
      flag,
      '-H',
      `x-secret: ${tunnelSecret}`,
      'http://web.shop:8000/headers',
    )
    t.is(answer.code, 0, answer.stderr)
    t.true(answer.stdout.includes(tunnelSecret))
    // A plain connection afterwards: when the tap shows its end, it has shown all that came before.
    await tap?.until((text) => text.includes('.15008'), 'the tunnel on the wire')
    const before = tap?.text ?? ''
    await curlFrom(cluster, 'outside/stranger', flag, 'http://web.shop:8000/get')
    await tap?.until((text) => text.includes('GET /get') && ENDED.test(text.slice(before.length)), 'the marker')
    const plain = tap?.text ?? ''
    const toServer = [...plain.matchAll(/^IP (\S+)\.\d+ > \S+\.(\d+): Flags \[S\]/gm)]
    const fromAlice = toServer.filter(([, source]) => source === aliceIps[index]).map(([, , port]) => port)
    t.deepEqual(
      [...new Set(fromAlice)].filter((port) => port !== '15008'),
      [],
    )
    t.false(plain.includes(tunnelSecret))
  })

  test.serial(`${family}: the server sees the address of the client's pod`, async (t) => {
    const answer = await curlFrom(cluster, 'people/alice', flag, 'http://web.shop:8000/ip')
    t.deepEqual(JSON.parse(answer.stdout), { origin: aliceIps[index] })
  })

  test.serial(`${family}: a pod addressed directly is reached through the tunnel too`, async (t) => {
    const tap = taps[index]
    tap?.forget()
    const host = index === 0 ? webIps[index] : `[${webIps[index]}]`
    const answer = await curlFrom(
      cluster,
      'people/alice',
      '-H',
      `x-secret: ${directSecret}`,
      `http://${host}:8080/headers`,
    )
    t.is(answer.code, 0, answer.stderr)
    await tap?.until((text) => text.includes('.15008'), 'the tunnel on the wire')
    t.false(tap?.text.includes(directSecret))
  })
}
