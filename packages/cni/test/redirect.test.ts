import test from 'ava'
import fc from 'fast-check'
import { decodePod } from '../src/pod-facts.ts'
import { probeRules } from '../src/probes.ts'
import { type RedirectOptions, redirectPlan, removalPlan } from '../src/redirect.ts'
import { redirectOptions } from '../src/redirect-options.ts'

const OPTIONS: RedirectOptions = {
  dnsCapture: true,
  ipv6: true,
  bypassInbound: false,
  rerouteInterfaces: [],
  probeIpv4: '169.254.7.127',
  probeIpv6: 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff',
}

const DROP = `add table inet istio-ambient-nat
delete table inet istio-ambient-nat
add table inet istio-ambient-mangle
delete table inet istio-ambient-mangle
add table inet istio-ambient-raw
delete table inet istio-ambient-raw
`

test('both families with DNS capture: the whole rule set', (t) => {
  const plan = redirectPlan(OPTIONS)
  t.is(
    plan.nft,
    `${DROP}table inet istio-ambient-nat {
  chain istio-prerouting {
    ip saddr 169.254.7.127 meta l4proto tcp counter accept
    ip6 saddr fd16:9254:7127:1337:ffff:ffff:ffff:ffff meta l4proto tcp counter accept
    ip daddr != 127.0.0.1 tcp dport != 15008 meta mark & 0xfff != 0x539 counter redirect to :15006
    ip6 daddr != ::1 tcp dport != 15008 meta mark & 0xfff != 0x539 counter redirect to :15006
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    jump istio-prerouting
  }
  chain istio-output {
    ip daddr 169.254.7.127 meta l4proto tcp counter accept
    ip6 daddr fd16:9254:7127:1337:ffff:ffff:ffff:ffff meta l4proto tcp counter accept
    meta nfproto ipv4 oifname != "lo" udp dport 53 meta mark & 0xfff != 0x539 counter redirect to :15053
    meta nfproto ipv6 oifname != "lo" udp dport 53 meta mark & 0xfff != 0x539 counter redirect to :15053
    ip daddr != 127.0.0.1 tcp dport 53 meta mark & 0xfff != 0x539 counter redirect to :15053
    ip6 daddr != ::1 tcp dport 53 meta mark & 0xfff != 0x539 counter redirect to :15053
    meta l4proto tcp meta mark & 0xfff == 0x111 counter accept
    ip daddr != 127.0.0.1 oifname "lo" counter accept
    ip6 daddr != ::1 oifname "lo" counter accept
    ip daddr != 127.0.0.1 meta l4proto tcp meta mark & 0xfff != 0x539 counter redirect to :15001
    ip6 daddr != ::1 meta l4proto tcp meta mark & 0xfff != 0x539 counter redirect to :15001
  }
  chain output {
    type nat hook output priority -100; policy accept;
    jump istio-output
  }
}
table inet istio-ambient-mangle {
  chain istio-prerouting {
    meta mark & 0xfff == 0x539 counter ct mark set ct mark & 0xfffff000 | 0x111
  }
  chain prerouting {
    type filter hook prerouting priority -150; policy accept;
    jump istio-prerouting
  }
  chain istio-output {
    ct mark & 0xfff == 0x111 counter meta mark set ct mark
  }
  chain output {
    type route hook output priority -150; policy accept;
    jump istio-output
  }
}
table inet istio-ambient-raw {
  chain istio-prerouting {
    udp sport 53 meta mark & 0xfff != 0x539 counter ct zone set 1
  }
  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    jump istio-prerouting
  }
  chain istio-output {
    udp dport 53 meta mark & 0xfff == 0x539 counter ct zone set 1
    udp sport 15053 meta mark & 0xfff == 0x539 counter ct zone set 2
    oifname "lo" icmp type destination-unreachable counter ct zone set 2
    oifname "lo" icmpv6 type destination-unreachable counter ct zone set 2
    oifname != "lo" udp dport 53 meta mark & 0xfff != 0x539 counter ct zone set 2
  }
  chain output {
    type filter hook output priority -300; policy accept;
    jump istio-output
  }
}
`,
  )
  const rule = 'rule add fwmark 0x111/0xfff pref 32764 lookup 100'
  t.deepEqual(plan.ipv4, ['route replace local 0.0.0.0/0 dev lo table 100', rule])
  t.deepEqual(plan.ipv6, ['route replace local ::/0 dev lo table 100', rule])
})

test('without IPv6 nothing names it', (t) => {
  const plan = redirectPlan({ ...OPTIONS, ipv6: false })
  t.notRegex(plan.nft, /ip6|ipv6/)
  t.deepEqual(plan.ipv6, [])
})

test('without DNS capture port 53 is nothing special', (t) => {
  const { nft } = redirectPlan({ ...OPTIONS, dnsCapture: false })
  t.notRegex(nft, /dport 53|sport 53|15053|table inet istio-ambient-raw \{/)
})

test('bypassing inbound drops the probe and the 15006 rules, and keeps the marks inbound HBONE needs', (t) => {
  const { nft } = redirectPlan({ ...OPTIONS, bypassInbound: true })
  t.notRegex(nft, /15006|saddr/)
  t.regex(nft, /ct mark set/)
  t.regex(nft, /daddr 169\.254\.7\.127 meta l4proto tcp counter accept/)
})

test('traffic of virtual interfaces is outbound, before anything else', (t) => {
  const { nft } = redirectPlan({ ...OPTIONS, rerouteInterfaces: ['br0'] })
  t.regex(
    nft,
    /chain istio-prerouting \{\n {4}iifname "br0" meta l4proto tcp counter redirect to :15001\n {4}iifname "br0" meta l4proto tcp counter return\n {4}ip saddr/,
  )
})

test('removal names every table and the routing of both families', (t) => {
  t.deepEqual(removalPlan(), {
    nft: DROP,
    ipv4: ['rule del fwmark 0x111/0xfff pref 32764 lookup 100', 'route del local 0.0.0.0/0 dev lo table 100'],
    ipv6: ['rule del fwmark 0x111/0xfff pref 32764 lookup 100', 'route del local ::/0 dev lo table 100'],
  })
})

const DEFAULTS = { dnsCapture: true, ipv6: true, probeIpv4: OPTIONS.probeIpv4, probeIpv6: OPTIONS.probeIpv6 }

function annotated(annotations: Record<string, string>) {
  const pod = decodePod({ metadata: { uid: 'u', name: 'n', namespace: 's', annotations } })
  if (pod === undefined) throw new Error('bad fixture')
  return redirectOptions(pod, true, DEFAULTS)
}

test('annotations override the agent', (t) => {
  t.like(annotated({}).options, { dnsCapture: true, bypassInbound: false, rerouteInterfaces: [] })
  t.false(annotated({ 'ambient.istio.io/dns-capture': 'false' }).options.dnsCapture)
  t.true(annotated({ 'ambient.istio.io/dns-capture': 'perhaps' }).options.dnsCapture)
  t.true(annotated({ 'ambient.istio.io/bypass-inbound-capture': 'true' }).options.bypassInbound)
  t.deepEqual(annotated({ 'istio.io/reroute-virtual-interfaces': 'br0, docker0,,br0' }).options.rerouteInterfaces, [
    'br0',
    'docker0',
  ])
})

test('no annotation smuggles anything into the script', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('a"; flush ruleset; #')), (text) => {
      const { options } = annotated({ 'istio.io/reroute-virtual-interfaces': text })
      for (const name of options.rerouteInterfaces) t.regex(name, /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/)
    }),
  )
})

test('IPv6 rules need both the setting and ::1 in the pod', (t) => {
  const pod = decodePod({ metadata: { uid: 'u', name: 'n', namespace: 's' } })!
  t.false(redirectOptions(pod, false, DEFAULTS).options.ipv6)
  t.false(redirectOptions(pod, true, { ...DEFAULTS, ipv6: false }).options.ipv6)
})

test('the node rules hold each pod address in the set of its family', (t) => {
  const rules = probeRules(
    new Map([
      ['10.0.0.1', 'uid-1'],
      ['fd00::1', 'uid-1'],
    ]) as never,
    DEFAULTS,
  )
  t.regex(rules, /set istio-inpod-probes-v4 \{\n {4}type ipv4_addr;\n {4}elements = \{ 10\.0\.0\.1 comment "uid-1" \}/)
  t.regex(rules, /set istio-inpod-probes-v6 \{\n {4}type ipv6_addr;\n {4}elements = \{ fd00::1 comment "uid-1" \}/)
})
