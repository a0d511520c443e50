import { messageOf } from '@ambit/core'
import type { AskedRequest } from '@ambit/explain'
import type { Context } from '../context.types.ts'
import { DecodeError, SettingError } from '../errors.ts'
import type { Flags } from '../grammar/command.types.ts'
import { asObject } from '../json.ts'

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
const METHOD = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/

/** The request that flags describe; undefined where none does. */
export async function askedRequest(
  flags: Flags,
  context: Pick<Context, 'readFile'>,
): Promise<AskedRequest | undefined> {
  const method = flags.text('method')
  const path = flags.text('path')
  const host = flags.text('host')
  const jwt = flags.text('jwt')
  const written = flags.list('header')
  if (method === undefined && path === undefined && host === undefined && jwt === undefined && written.length === 0)
    return undefined
  if (method !== undefined && !METHOD.test(method))
    throw new SettingError(`--method ${JSON.stringify(method)} is no method`)
  if (path !== undefined && !/^[/*]/.test(path))
    throw new SettingError(`--path begins with a slash, not as ${JSON.stringify(path)}`)
  return {
    method: method ?? 'GET',
    path: path ?? '/',
    host,
    headers: written.map(headerOf),
    claims: jwt === undefined ? undefined : await claimsOf(jwt, context),
  }
}

/** `name=value`, or as it is written in a request. */
function headerOf(written: string): readonly [name: string, value: string] {
  const [, name = '', value = ''] = /^([^=:]*)[=:]\s*(.*)$/s.exec(written) ?? []
  if (!HEADER_NAME.test(name)) throw new SettingError(`--header is NAME=VALUE, not ${JSON.stringify(written)}`)
  return [name.toLowerCase(), value]
}

async function claimsOf(
  written: string,
  { readFile }: Pick<Context, 'readFile'>,
): Promise<Readonly<Record<string, unknown>>> {
  const text = written.trimStart().startsWith('{') ? written : await contentOf(written, readFile)
  const claims = text.trimStart().startsWith('{') ? text : payloadOf(text.trim())
  try {
    const value: unknown = JSON.parse(claims)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('no object')
    return asObject(value)
  } catch (cause) {
    throw new DecodeError(`--jwt has no claims that can be read: ${messageOf(cause)}`, { cause })
  }
}

async function contentOf(path: string, readFile: Context['readFile']): Promise<string> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new SettingError(`--jwt: cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
}

/** The middle of `header.payload.signature`; whether the signature is good is not asked. */
function payloadOf(token: string): string {
  const [, payload = ''] = token.split('.')
  return Buffer.from(payload, 'base64url').toString('utf8')
}
