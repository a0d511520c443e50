/**
 * The rank of an endpoint for a key, by weighted rendezvous hashing (Thaler and Ravishankar 1998; weights after Schindelhauer and
 * Schomaker 2005): the highest takes the key, and each takes the share of its weight.
 */
export function rendezvousScore(key: string, endpoint: string, weight: number): number {
  // Between 0 and 1, neither included.
  const fraction = (hash(`${endpoint}\n${key}`) + 0.5) / 2 ** 32
  return -weight / Math.log(fraction)
}

/** FNV-1a over UTF-16 units, mixed as MurmurHash3 ends: equal in every replica of a proxy, and no secret. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}
