import { FunctionError } from './errors.ts'

/** Does a version meet a constraint such as `>=1.30-0`, `^1.2`, `>1.1 <2 || 3.x`? */
export function semverSatisfies(version: string, constraint: string): boolean {
  const parsed = parseVersion(version)
  if (parsed === undefined) throw new FunctionError(`${JSON.stringify(version)} is no version`)
  return constraint
    .split('||')
    .some((group) =>
      [...group.trim().matchAll(/([=!<>~^]*)\s*([^\s,]+)/g)].every(([, operator, wanted]) =>
        meets(parsed, operator ?? '', wanted ?? '', constraint),
      ),
    )
}

interface Version {
  readonly numbers: readonly [number, number, number]
  /** How many of the numbers were written. */
  readonly given: number
  readonly prerelease: string
}

function parseVersion(text: string): Version | undefined {
  const found = /^v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/.exec(text)
  if (found === null) return undefined
  const written = [found[1], found[2], found[3]].map((part) =>
    part === undefined || !/^\d/.test(part) ? undefined : Number(part),
  )
  const given = written.findIndex((part) => part === undefined)
  return {
    numbers: [written[0] ?? 0, written[1] ?? 0, written[2] ?? 0],
    given: given < 0 ? 3 : given,
    prerelease: found[4] ?? '',
  }
}

function meets(version: Version, operator: string, wantedText: string, constraint: string): boolean {
  const wanted = parseVersion(wantedText)
  if (wanted === undefined) throw new FunctionError(`${JSON.stringify(constraint)} is no version constraint`)
  // A release constraint does not speak of pre-releases, unless it names one itself.
  if (version.prerelease !== '' && wanted.prerelease === '' && operator !== '!=') return false
  const order = compare(version, wanted)
  switch (operator) {
    case '':
    case '=':
      return wanted.given < 3 ? samePrefix(version, wanted, wanted.given) : order === 0
    case '!=':
      return wanted.given < 3 ? !samePrefix(version, wanted, wanted.given) : order !== 0
    case '>':
      return order > 0 && (wanted.given === 3 || !samePrefix(version, wanted, wanted.given))
    case '>=':
    case '=>':
      return order >= 0
    case '<':
      return order < 0
    case '<=':
    case '=<':
      return order <= 0 || (wanted.given < 3 && samePrefix(version, wanted, wanted.given))
    case '~':
      return order >= 0 && samePrefix(version, wanted, Math.min(wanted.given, 2))
    case '^': {
      const leading = wanted.numbers.findIndex((part) => part !== 0)
      return order >= 0 && samePrefix(version, wanted, Math.min(wanted.given, (leading < 0 ? 2 : leading) + 1))
    }
    default:
      throw new FunctionError(`${JSON.stringify(constraint)} is no version constraint`)
  }
}

function samePrefix(a: Version, b: Version, length: number): boolean {
  return a.numbers.slice(0, length).every((part, at) => part === b.numbers[at])
}

function compare(a: Version, b: Version): number {
  for (const [at, part] of a.numbers.entries()) {
    const other = b.numbers[at] ?? 0
    if (part !== other) return part - other
  }
  if (a.prerelease === b.prerelease) return 0
  if (a.prerelease === '') return 1
  if (b.prerelease === '') return -1
  return comparePrerelease(a.prerelease.split('.'), b.prerelease.split('.'))
}

function comparePrerelease(a: readonly string[], b: readonly string[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const left = a[at]
    const right = b[at]
    if (left === right) continue
    if (left === undefined) return -1
    if (right === undefined) return 1
    const numeric = [left, right].map((part) => /^\d+$/.test(part))
    if (numeric[0] && numeric[1]) return Number(left) - Number(right)
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1
    return left < right ? -1 : 1
  }
  return 0
}
