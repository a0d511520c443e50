import type { CidrMatch, PathPattern, ServiceAccountMatch, StringMatch } from '@ambit/state'

/** As it is written in a policy. */
export function spellText(pattern: StringMatch): string {
  switch (pattern.kind) {
    case 'exact':
      return pattern.value
    case 'prefix':
      return `${pattern.value}*`
    case 'suffix':
      return `*${pattern.value}`
    case 'presence':
      return '*'
    case 'any':
      return '(not understood: anything)'
  }
}

export function spellNetwork({ cidr }: CidrMatch): string {
  return `${cidr.ip}/${cidr.length}`
}

export function spellAccount({ namespace, serviceAccount }: ServiceAccountMatch): string {
  return `${namespace}/${serviceAccount}`
}

export function spellPath(pattern: PathPattern): string {
  return pattern.kind === 'text' ? spellText(pattern.text) : pattern.source
}
