import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { type Logger, systemClock } from '@ambit/core'
import type { ExecSession, KubeObject, PodRuntime } from '../../src/apiserver/contract.types.ts'
import { type ApiServer, createApiServer } from '../../src/apiserver/create-api-server.ts'
import { createClusterPki } from '../../src/pki/cluster-pki.ts'

export const silent: Logger = {
  error: (message, fields) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
  warn() {},
  info() {},
  debug() {},
  trace() {},
  enabled: () => false,
  scope: () => silent,
}

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs commands as real processes of this machine. */
export class ProcessRuntime implements PodRuntime {
  async exec(o: Parameters<PodRuntime['exec']>[0]): Promise<ExecSession> {
    const [command = '', ...args] = o.command
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    o.signal.addEventListener('abort', () => child.kill('SIGKILL'))
    const exit = new Promise<{ code: number } | { error: string }>((resolve) => {
      child.on('error', (error) => resolve({ error: error.message }))
      child.on('exit', (code) => resolve({ code: code ?? 137 }))
    })
    if (!o.stdin) child.stdin.end()
    return {
      stdin: o.stdin ? child.stdin : undefined,
      stdout: child.stdout,
      stderr: o.tty ? undefined : child.stderr,
      resize() {},
      exit,
    }
  }

  async logs(o: Parameters<PodRuntime['logs']>[0]): Promise<PassThrough> {
    const log = new PassThrough()
    const lines = ['one', 'two', 'three'].slice(-(o.tailLines ?? 3))
    log.write(`${lines.join('\n')}\n`)
    if (o.follow) o.signal.addEventListener('abort', () => log.end())
    else log.end()
    return log
  }

  async portForward(o: Parameters<PodRuntime['portForward']>[0]) {
    const socket = connect({ port: o.port, host: '127.0.0.1', allowHalfOpen: true })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return socket
  }
}

export interface TestApi extends AsyncDisposable {
  readonly api: ApiServer
  readonly url: string
  readonly adminToken: string
  readonly caPem: string
  /** The real kubectl with a home of its own. */
  kubectl(
    args: readonly string[],
    options?: {
      readonly input?: string
      readonly binary?: string
      readonly signal?: AbortSignal
      /** What `kubectl edit` opens its file with. */
      readonly editor?: string
    },
  ): Promise<Output>
  /** Environment of a kubectl that a test starts itself. */
  environment(): Promise<NodeJS.ProcessEnv>
  fetchJson(
    path: string,
    init?: { method?: string; body?: unknown; headers?: Record<string, string>; token?: string | null },
  ): Promise<{ status: number; headers: Headers; body: KubeObject & Record<string, never> }>
}

export const KUBECTL = 'kubectl'

/** An API server on a port of loopback, and kubectl for it. */
export async function startApi(options: { readonly runtime?: PodRuntime } = {}): Promise<TestApi> {
  const pki = createClusterPki({ names: ['127.0.0.1', 'localhost', 'kubernetes.default.svc'], nowMs: Date.now() })
  const adminToken = randomBytes(16).toString('hex')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const api = await createApiServer({
    server,
    tls: { certPem: pki.server.certPem, keyPem: pki.server.keyPem, clientCaPem: pki.caPem },
    adminToken,
    runtime: options.runtime ?? new ProcessRuntime(),
    logger: silent,
    clock: systemClock,
  })
  const home = mkdtempSync(join(tmpdir(), 'ambit-api-'))
  const url = `https://127.0.0.1:${port}`
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const kubeconfig = join(home, 'config')
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': base64(pki.caPem) } }],
      users: [
        {
          name: 'test',
          user: { 'client-certificate-data': base64(pki.admin.certPem), 'client-key-data': base64(pki.admin.keyPem) },
        },
      ],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
    }),
  )
  const { fetch: request, close: closeClient } = await import('./https-fetch.ts').then((module) =>
    module.httpsFetch(pki.caPem),
  )
  return {
    api,
    url,
    adminToken,
    caPem: pki.caPem,
    kubectl(args, options = {}) {
      return new Promise((resolve, reject) => {
        const child = execFile(
          options.binary ?? KUBECTL,
          ['--cache-dir', join(home, 'cache'), ...args],
          {
            env: { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig, EDITOR: options.editor ?? 'false' },
            signal: options.signal,
            timeout: 45_000,
            maxBuffer: 1 << 25,
          },
          (error, stdout, stderr) => {
            if (error !== null && (error as NodeJS.ErrnoException).code === 'ENOENT')
              return reject(new Error('these tests drive the real kubectl: install it and put it on PATH'))
            const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
            resolve({ code, stdout, stderr })
          },
        )
        child.stdin?.on('error', () => {})
        child.stdin?.end(options.input ?? '')
      })
    },
    async environment() {
      return { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig }
    },
    async fetchJson(path, init = {}) {
      const token = init.token === undefined ? adminToken : init.token
      return (await request(url + path, {
        method: init.method ?? 'GET',
        body:
          init.body === undefined ? undefined : typeof init.body === 'string' ? init.body : JSON.stringify(init.body),
        headers: {
          'content-type': 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...init.headers,
        },
      })) as never
    },
    async [Symbol.asyncDispose]() {
      closeClient()
      await api.close()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      rmSync(home, { recursive: true, force: true })
    },
  }
}
