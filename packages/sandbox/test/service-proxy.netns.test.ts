// The rules as the kernel takes them: one table after the other, in a namespace of its own.
import { Netns, readNft, runIp, runNft, warmThreadPool } from '@ambit/linux'
import test from 'ava'
import type { ServingPort } from '../src/proxy/frontends.ts'
import { servicesRuleset } from '../src/proxy/ruleset.ts'

const BASE: ServingPort = {
  key: 'demo/a:tcp:80:4',
  six: false,
  protocol: 'tcp',
  port: 80,
  clusterIp: '10.96.0.5',
  externalIps: [],
  nodePort: undefined,
  internalLocal: false,
  externalLocal: false,
  affinitySeconds: undefined,
  targets: [
    { ip: '10.244.1.2', port: 8080, node: 'n1' },
    { ip: '10.244.2.2', port: 8080, node: 'n2' },
  ],
}
const SIX: ServingPort = {
  ...BASE,
  key: 'demo/a:tcp:80:6',
  six: true,
  clusterIp: 'fd00:10:96::5',
  targets: [{ ip: 'fd00:10:244:1::2', port: 8080, node: 'n1' }],
}
const EVERYTHING: readonly ServingPort[] = [
  { ...BASE, nodePort: 30_080, externalIps: ['192.0.2.1'], externalLocal: true, internalLocal: true },
  { ...BASE, key: 'demo/u', protocol: 'udp', affinitySeconds: 60, externalLocal: true, nodePort: 30_080 },
  { ...SIX, nodePort: 30_081, externalIps: ['2001:db8::1'], externalLocal: true },
  { ...SIX, key: 'demo/i6', port: 81, targets: [] },
  { ...BASE, key: 'demo/i4', port: 81, targets: [] },
]

test.before(warmThreadPool)

test.serial('every kind of service, then another, then none: the kernel takes each and keeps what stays', async (t) => {
  using netns = Netns.create()
  await runIp(netns, ['link set lo up'])
  const first = servicesRuleset(EVERYTHING, { node: 'n1' })
  await runNft(netns, first.text)
  const [set] = [...first.names].filter((name) => name.startsWith('set '))
  await runNft(netns, `add element inet ambit-services ${set?.slice(4)} { 10.244.1.9 }`)

  const second = servicesRuleset(EVERYTHING.slice(1), { node: 'n1', previous: first.names })
  await runNft(netns, second.text)
  const listed = await readNft(netns, ['list', 'table', 'inet', 'ambit-services'])
  t.regex(listed, /10\.244\.1\.9/)
  t.notRegex(listed, /10\.96\.0\.5 \. tcp \. 80/)
  t.regex(listed, /10\.96\.0\.5 \. udp \. 80 : goto/)

  const last = servicesRuleset([], { node: 'n1', previous: second.names })
  await runNft(netns, last.text)
  t.notRegex(await readNft(netns, ['list', 'table', 'inet', 'ambit-services']), /svc-|aff-|to-|10\.96/)
})
