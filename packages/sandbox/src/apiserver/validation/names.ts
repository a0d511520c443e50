/** RFC 1123 label: lower case letters, digits and inner hyphens, at most 63. */
export function isDnsLabel(name: string): boolean {
  return name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)
}

/** RFC 1123 subdomain: labels joined by dots, at most 253. */
export function isDnsSubdomain(name: string): boolean {
  return name.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)
}

/** Key of a label or annotation: optional DNS prefix, a slash, a name of up to 63 characters. */
export function isQualifiedName(key: string): boolean {
  const [first = '', second, more] = key.split('/')
  if (more !== undefined) return false
  const name = second ?? first
  if (second !== undefined && !isDnsSubdomain(first)) return false
  return name.length <= 63 && /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/.test(name)
}

export function isLabelValue(value: unknown): boolean {
  if (typeof value !== 'string') return false
  return value === '' || (value.length <= 63 && /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/.test(value))
}

/** Name of a port (IANA): at most 15 lower case letters, digits and single hyphens, with a letter. */
export function isPortName(name: string): boolean {
  return name.length <= 15 && /^[a-z0-9](-?[a-z0-9])*$/.test(name) && /[a-z]/.test(name)
}

export const PORT_NAME_RULE =
  "a port's name has at most 15 lower case letters, digits and single '-' between them, and at least one letter"
export const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
export const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
export const QUALIFIED_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
export const LABEL_VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
