import type { Message } from '@ambit/analyze'
import { stringify } from 'yaml'
import { printable } from '../text-table.ts'

export const DOCUMENTATION = 'https://istio.io/latest/docs/reference/config/analysis'

export type Format = 'log' | 'json' | 'yaml'

const COLOURS: Readonly<Partial<Record<Message['level'], string>>> = { Error: '31', Warning: '33' }

/** The messages in one of istioctl's formats; empty where there is nothing to print. */
export function printMessages(messages: readonly Message[], format: Format, colour: boolean): string {
  if (format === 'log') return messages.map((message) => lineOf(message, colour)).join('\n')
  const entries = messages.map(({ code, level, origin, reference, message }) => ({
    code,
    documentationUrl: `${DOCUMENTATION}/${code.toLowerCase()}/`,
    level,
    message,
    ...(origin === '' ? {} : { origin }),
    ...(reference === '' ? {} : { reference }),
  }))
  return format === 'json' ? JSON.stringify(entries, undefined, '\t') : stringify(entries).trimEnd()
}

function lineOf({ level, code, origin, reference, message }: Message, colour: boolean): string {
  const about = [origin, reference].filter((part) => part !== '').join(' ')
  const painted = COLOURS[level]
  const shown = colour && painted !== undefined ? `\u001b[${painted}m${level}\u001b[0m` : level
  return `${shown} [${code}]${about === '' ? '' : ` (${printable(about)})`} ${printable(message)}`
}
