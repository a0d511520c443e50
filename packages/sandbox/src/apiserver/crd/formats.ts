import { isIPv4, isIPv6 } from 'node:net'

const DURATION_UNITS = '(?:ns|us|µs|ms|s|m|h|d|w)'

const FORMATS: Readonly<Record<string, (value: string) => boolean>> = {
  'date-time': (value) =>
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)),
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)),
  duration: (value) => new RegExp(`^-?(?:\\d+(?:\\.\\d*)?\\s*${DURATION_UNITS})+$`).test(value) || value === '0',
  ipv4: (value) => isIPv4(value),
  ipv6: (value) => isIPv6(value),
  cidr: (value) =>
    /^(.+)\/(\d{1,3})$/.test(value) && (isIPv4(value.split('/')[0] ?? '') || isIPv6(value.split('/')[0] ?? '')),
  mac: (value) => /^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/.test(value),
  uuid: (value) => /^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/.test(value),
  byte: (value) => /^[A-Za-z0-9+/]*={0,2}$/.test(value),
  uri: (value) => URL.canParse(value) || value.startsWith('/'),
  hostname: (value) => value.length <= 255 && /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/.test(value),
  email: (value) => /^[^@\s]+@[^@\s]+$/.test(value),
}

/** Whether a string has a format; unknown formats say nothing, as in Kubernetes. */
export function matchesFormat(format: string, value: string): boolean {
  return Object.hasOwn(FORMATS, format) ? (FORMATS[format]?.(value) ?? true) : true
}
