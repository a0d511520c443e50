import { type Ip, ipFamily } from '@ambit/core'
import type { Service, Workload } from './workload.types.ts'

/**
 * Which of a workload's addresses to dial: the very one asked for, else one of a family the service offers, preferably the
 * family asked for. Undefined when it has none.
 */
export function selectAddress(workload: Workload, asked: Ip | 4 | 6, service: Service | undefined): Ip | undefined {
  if (typeof asked !== 'number' && workload.ips.includes(asked)) return asked
  const family = typeof asked === 'number' ? asked : ipFamily(asked)
  const offered = workload.ips.filter((ip) => offersFamily(service, ipFamily(ip)))
  return offered.find((ip) => ipFamily(ip) === family) ?? offered[0]
}

export function offersFamily(service: Service | undefined, family: 4 | 6): boolean {
  switch (service?.ipFamilies) {
    case 'IPv4':
      return family === 4
    case 'IPv6':
      return family === 6
    default:
      return true
  }
}
