import { ANNOTATIONS } from '@ambit/api'
import { MAX_REROUTE_INTERFACES } from './limits.ts'
import type { PodFacts } from './pod-facts.ts'
import type { RedirectOptions } from './redirect.ts'

export interface RedirectDefaults {
  readonly dnsCapture: boolean
  readonly ipv6: boolean
  readonly probeIpv4: string
  readonly probeIpv6: string
}

/** Names the kernel allows and that mean nothing to nft; anything else stays out of the script. */
const INTERFACE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/

/** A pod's annotations laid over the agent's settings; `ignored` names what could not be understood. */
export function redirectOptions(
  pod: PodFacts,
  hasIpv6: boolean,
  defaults: RedirectDefaults,
): { readonly options: RedirectOptions; readonly ignored: readonly string[] } {
  const named = (pod.annotations.get(ANNOTATIONS.rerouteVirtualInterfaces) ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
  const usable = named.filter((each) => INTERFACE.test(each))
  const rerouteInterfaces = [...new Set(usable)].slice(0, MAX_REROUTE_INTERFACES)
  return {
    options: {
      dnsCapture: flag(pod.annotations.get(ANNOTATIONS.dnsCapture)) ?? defaults.dnsCapture,
      ipv6: defaults.ipv6 && hasIpv6,
      bypassInbound: flag(pod.annotations.get(ANNOTATIONS.bypassInboundCapture)) ?? false,
      rerouteInterfaces,
      probeIpv4: defaults.probeIpv4,
      probeIpv6: defaults.probeIpv6,
    },
    ignored: named.filter((each) => !rerouteInterfaces.includes(each)),
  }
}

/** The spellings Go's strconv.ParseBool takes; anything else leaves the default. */
export function flag(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false
  return undefined
}
