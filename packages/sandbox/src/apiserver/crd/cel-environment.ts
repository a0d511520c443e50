import { BlockList, isIP, isIPv4 } from 'node:net'
import { Environment } from '@marcbachmann/cel-js'
import { parseQuantity } from '../../objects/quantity.ts'
import { MAX_MATCHED_CHARACTERS } from '../limits.ts'

class CelUrl {
  readonly url: URL
  constructor(url: URL) {
    this.url = url
  }
}

class CelIp {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

class CelCidr {
  readonly list: BlockList
  constructor(list: BlockList) {
    this.list = list
  }
}

class CelQuantity {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

function quantity(text: string): CelQuantity {
  const value = parseQuantity(text)
  if (value === undefined) throw new Error(`${text} is no quantity`)
  return new CelQuantity(value)
}

function bounded(text: string): string {
  if (text.length > MAX_MATCHED_CHARACTERS) throw new Error('the text is too long for a regular expression')
  return text
}

function extreme(items: readonly (bigint | number | string)[], sign: 1 | -1): bigint | number | string {
  const [first, ...rest] = items
  if (first === undefined) throw new Error('an empty list has no least or greatest item')
  return rest.reduce((best, item) => ((sign === 1 ? item > best : item < best) ? item : best), first)
}

/** Adds a function unless the library has it already. */
function add(environment: Environment, signature: string, handler: (...args: never[]) => unknown): void {
  try {
    environment.registerFunction(signature, handler as (...args: unknown[]) => unknown)
  } catch {
    // Built in.
  }
}

/** CEL as CRD rules know it: `self`, `oldSelf` and Kubernetes' functions that the mesh's CRDs use. */
export function celEnvironment(): Environment {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
  })
  environment.registerVariable('self', 'dyn')
  environment.registerVariable('oldSelf', 'dyn')
  environment.registerType('kubernetes.URL', CelUrl)
  environment.registerType('net.IP', CelIp)
  environment.registerType('net.CIDR', CelCidr)
  environment.registerType('kubernetes.Quantity', CelQuantity)

  add(environment, 'isURL(string): bool', (text: string) => URL.canParse(text))
  add(environment, 'url(string): kubernetes.URL', (text: string) => new CelUrl(new URL(text)))
  add(environment, 'kubernetes.URL.getScheme(): string', (url: CelUrl) => url.url.protocol.replace(/:$/, ''))
  add(environment, 'kubernetes.URL.getHost(): string', (url: CelUrl) => url.url.host)
  add(environment, 'kubernetes.URL.getHostname(): string', (url: CelUrl) => url.url.hostname)
  add(environment, 'kubernetes.URL.getPort(): string', (url: CelUrl) => url.url.port)
  add(environment, 'kubernetes.URL.getEscapedPath(): string', (url: CelUrl) => url.url.pathname)

  add(environment, 'isIP(string): bool', (text: string) => isIP(text) !== 0 && !text.includes('%'))
  add(environment, 'ip(string): net.IP', (text: string) => {
    if (isIP(text) === 0) throw new Error(`${text} is no IP address`)
    return new CelIp(text)
  })
  add(environment, 'net.IP.family(): int', (ip: CelIp) => (isIPv4(ip.text) ? 4n : 6n))
  add(environment, 'isCIDR(string): bool', (text: string) => {
    const [address = '', bits = ''] = text.split('/')
    return isIP(address) !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv4(address) ? 32 : 128)
  })
  add(environment, 'cidr(string): net.CIDR', (text: string) => {
    const [address = '', bits = ''] = text.split('/')
    if (isIP(address) === 0) throw new Error(`${text} is no CIDR`)
    const list = new BlockList()
    list.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6')
    return new CelCidr(list)
  })
  add(environment, 'net.CIDR.containsIP(string): bool', (cidr: CelCidr, ip: string) =>
    cidr.list.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6'),
  )
  add(environment, 'isQuantity(string): bool', (text: string) => parseQuantity(text) !== undefined)
  add(environment, 'quantity(string): kubernetes.Quantity', quantity)
  add(
    environment,
    'kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool',
    (a: CelQuantity, b: CelQuantity) => a.value > b.value,
  )
  add(
    environment,
    'kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool',
    (a: CelQuantity, b: CelQuantity) => a.value < b.value,
  )
  add(environment, 'kubernetes.Quantity.compareTo(kubernetes.Quantity): int', (a: CelQuantity, b: CelQuantity) =>
    BigInt(Math.sign(a.value - b.value)),
  )

  add(environment, 'string.lowerAscii(): string', (text: string) => text.toLowerCase())
  add(environment, 'string.upperAscii(): string', (text: string) => text.toUpperCase())
  add(environment, 'string.trim(): string', (text: string) => text.trim())
  add(environment, 'string.replace(string, string): string', (text: string, from: string, to: string) =>
    text.replaceAll(from, () => to),
  )
  add(environment, 'string.charAt(int): string', (text: string, index: bigint) => text.charAt(Number(index)))
  add(environment, 'string.split(string): list<string>', (text: string, by: string) => text.split(by))
  add(
    environment,
    'string.find(string): string',
    (text: string, by: string) => new RegExp(by, 'u').exec(bounded(text))?.[0] ?? '',
  )
  add(
    environment,
    'string.findAll(string): list<string>',
    (text: string, by: string) => bounded(text).match(new RegExp(by, 'gu')) ?? [],
  )
  add(environment, 'matches(string, string): bool', (text: string, by: string) =>
    new RegExp(by, 'u').test(bounded(text)),
  )
  add(environment, 'string.reverse(): string', (text: string) => Array.from(text).reverse().join(''))
  add(environment, 'list.max(): dyn', (items: readonly (bigint | number | string)[]) => extreme(items, 1))
  add(environment, 'list.min(): dyn', (items: readonly (bigint | number | string)[]) => extreme(items, -1))
  add(environment, 'list.sum(): dyn', (items: readonly (bigint | number)[]) =>
    items.reduce((sum, item) => (Number(sum) + Number(item)) as never, 0n),
  )
  add(environment, 'list.isSorted(): bool', (items: readonly string[]) =>
    items.every((item, index) => index === 0 || (items[index - 1] ?? item) <= item),
  )
  add(environment, 'list.indexOf(dyn): int', (items: readonly unknown[], item: unknown) => BigInt(items.indexOf(item)))
  return environment
}
