import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NETWORK } from '../net/addresses.ts'
import type { Pod } from '../objects/pod.types.ts'

/** Of Linux, minus its terminator. */
const MAX_HOSTNAME = 63

/** resolv.conf of a pod by its DNS policy. There is no resolver outside the cluster, so Default means the cluster's without its search list. */
export function resolvConf(pod: Pod): string {
  const namespace = pod.metadata.namespace ?? 'default'
  const domain = NETWORK.clusterDomain
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst'
  const own = pod.spec.dnsConfig
  const clustered = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec.hostNetwork !== true)
  const nameservers = [...(policy === 'None' ? [] : [NETWORK.dnsServiceIp]), ...(own?.nameservers ?? [])]
  const searches = [
    ...(clustered ? [`${namespace}.svc.${domain}`, `svc.${domain}`, domain] : []),
    ...(own?.searches ?? []),
  ]
  const options = new Map<string, string | undefined>(clustered ? [['ndots', '5']] : [])
  for (const { name, value } of own?.options ?? []) options.set(name, value)
  const words = [...options].map(([name, value]) => (value === undefined || value === '' ? name : `${name}:${value}`))
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(words.length > 0 ? [`options ${words.join(' ')}`] : []),
    '',
  ].join('\n')
}

/** Name of the machine that a pod's programs see. */
export function podHostname(pod: Pod): string {
  const { hostNetwork, hostname, nodeName, setHostnameAsFQDN, subdomain } = pod.spec
  if (hostNetwork === true) return (nodeName ?? 'node').slice(0, MAX_HOSTNAME)
  const short = (hostname ?? pod.metadata.name ?? 'pod').slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '')
  const full = `${short}.${subdomain}.${pod.metadata.namespace}.svc.${NETWORK.clusterDomain}`
  return setHostnameAsFQDN === true && subdomain && full.length <= MAX_HOSTNAME ? full : short
}

export function hostsFile(pod: Pod, ips: readonly string[]): string {
  const hostname = pod.spec.hostname ?? pod.metadata.name ?? 'pod'
  const full = pod.spec.subdomain
    ? `${hostname}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${NETWORK.clusterDomain}\t${hostname}`
    : hostname
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...ips.map((ip) => `${ip}\t${full}`),
    ...(pod.spec.hostAliases ?? []).map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}`),
    '',
  ].join('\n')
}

export async function writeEtcFiles(folder: string, pod: Pod, ips: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  await Promise.all([
    writeFile(join(folder, 'resolv.conf'), resolvConf(pod)),
    writeFile(join(folder, 'hosts'), hostsFile(pod, ips)),
    writeFile(join(folder, 'hostname'), `${podHostname(pod)}\n`),
  ])
}
