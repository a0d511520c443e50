import type { ClientHello } from './client-hello.ts'
import { KEY_EXCHANGE_GROUPS, type KeyExchangeGroup } from './defaults.ts'

/** IANA TLS Supported Groups. */
const GROUP_IDS: Readonly<Record<KeyExchangeGroup, number>> = {
  X25519MLKEM768: 4588,
  X25519: 29,
  'P-256': 23,
  'P-384': 24,
}

/** Names by which OpenSSL reports curves that have a better known one. */
const ALIASES: ReadonlyMap<string, KeyExchangeGroup> = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
])

export const UNKNOWN_GROUP = 'unknown' as const

/**
 * The group a server of ours chooses for this client. Node tells it to clients only, so the server repeats OpenSSL's choice:
 * its own most preferred group among those the client sent a share for, else (after HelloRetryRequest) among those the
 * client names. A test compares this with what the client is told, for every combination.
 */
export function chosenGroup(
  hello: ClientHello,
  ours: readonly KeyExchangeGroup[] = KEY_EXCHANGE_GROUPS,
): KeyExchangeGroup | typeof UNKNOWN_GROUP {
  const shared = ours.find((group) => hello.keyShares.includes(GROUP_IDS[group]))
  return shared ?? ours.find((group) => hello.groups.includes(GROUP_IDS[group])) ?? UNKNOWN_GROUP
}

/** The group as OpenSSL named it to a client. */
export function reportedGroup(info: unknown): string {
  if (typeof info !== 'object' || info === null || !('name' in info) || typeof info.name !== 'string')
    return UNKNOWN_GROUP
  return ALIASES.get(info.name) ?? info.name
}
