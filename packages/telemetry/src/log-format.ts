import type { LogFields, LogLevel } from '@ambit/core'
import { parseIp, parseSocketAddress } from '@ambit/core'

export interface LogRecord {
  /** Microseconds since the epoch. */
  readonly timeUs: number
  readonly level: LogLevel
  readonly scope: string
  readonly message: string
  readonly fields: LogFields | undefined
}

/** One line of text, without the newline, as Istio's ztunnel writes it: tab separated, then `k=v` with quoted strings. */
export function formatPlain(record: LogRecord): string {
  const head = `${rfc3339(record.timeUs)}\t${record.level}\t${record.scope}\t${escapeControls(record.message)}`
  if (record.fields === undefined) return head
  let tail = ''
  for (const [key, value] of Object.entries(record.fields)) {
    if (value === undefined) continue
    tail += `${tail === '' ? '\t' : ' '}${key}=${plainValue(key, value)}`
  }
  return head + tail
}

/** One JSON object per line: level, time, scope, message, then the fields under their dotted names. */
export function formatJson(record: LogRecord): string {
  const line: Record<string, string | number | boolean> = {
    level: record.level,
    time: rfc3339(record.timeUs),
    scope: record.scope,
    message: record.message,
  }
  for (const [key, value] of Object.entries(record.fields ?? {})) {
    if (value !== undefined && !Object.hasOwn(line, key)) line[key] = value
  }
  return JSON.stringify(line)
}

function rfc3339(timeUs: number): string {
  const ms = Math.floor(timeUs / 1000)
  const us = String(Math.floor(timeUs) % 1000).padStart(3, '0')
  return `${new Date(ms).toISOString().slice(0, -1)}${us}Z`
}

/** Numbers and addresses bare, everything else quoted, so that no value of a peer's can forge another field or line. */
function plainValue(key: string, value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value)
  return isBare(key, value) ? value : JSON.stringify(value)
}

function isBare(key: string, value: string): boolean {
  if (key.endsWith('addr')) return /^[\w.:[\]/-]+$/.test(value)
  return parseSocketAddress(value) !== undefined || parseIp(value) !== undefined
}

function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose
  return text.replace(/[\u0000-\u001f\u007f\u2028\u2029]/g, (char) => JSON.stringify(char).slice(1, -1))
}
