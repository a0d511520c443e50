import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type Logger, systemClock } from '@ambit/core'
import { CertificateAuthority } from '@ambit/identity'
import { KubeClient, KubeConfig, type KubeObject, type ResourceKind } from '@ambit/kube'
import { parseAllDocuments } from 'yaml'
import type { PodRuntime } from '../../../sandbox/src/apiserver/contract.types.ts'
import { createApiServer } from '../../../sandbox/src/apiserver/create-api-server.ts'

const ADMIN_TOKEN = 'administrator-of-the-test'
const MANIFESTS = join(import.meta.dirname, '../../../../deploy')

const noRuntime: PodRuntime = {
  exec: () => Promise.reject(new Error('no pods run here')),
  logs: () => Promise.reject(new Error('no pods run here')),
  portForward: () => Promise.reject(new Error('no pods run here')),
}

export interface TestCluster extends AsyncDisposable {
  readonly client: KubeClient
  configFor(token: string): KubeConfig
  /** Token of a service account for the audience that proxies use, bound to a pod if given. */
  proxyToken(o: { namespace: string; serviceAccount: string; pod?: { name: string; uid: string } }): Promise<string>
  apiToken(o: { namespace: string; serviceAccount: string }): Promise<string>
  /** Creates or replaces, the status too. */
  put(object: KubeObject): Promise<KubeObject>
  applyManifest(file: string): Promise<void>
}

/** A real API server on loopback; nothing runs behind it. */
export async function startTestCluster(logger: Logger): Promise<TestCluster> {
  const { ca } = CertificateAuthority.createSelfSigned({ trustDomain: 'test' })
  const serving = ca.signServer({ dnsNames: ['127.0.0.1', 'localhost'], ttlMs: 3_600_000 })
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const api = await createApiServer({
    server,
    tls: { certPem: serving.chainPem, keyPem: serving.keyPem, clientCaPem: ca.rootsPem },
    adminToken: ADMIN_TOKEN,
    runtime: noRuntime,
    logger,
    clock: systemClock,
  })
  const configFor = (token: string): KubeConfig => {
    const config = new KubeConfig()
    config.loadFromOptions({
      clusters: [
        {
          name: 'test',
          server: `https://127.0.0.1:${port}`,
          caData: Buffer.from(ca.rootsPem).toString('base64'),
          skipTLSVerify: false,
        },
      ],
      users: [{ name: 'test', token }],
      contexts: [{ name: 'test', cluster: 'test', user: 'test' }],
      currentContext: 'test',
    })
    return config
  }
  const client = new KubeClient(configFor(ADMIN_TOKEN))
  const put = async (object: KubeObject): Promise<KubeObject> => {
    const kind = kindOf(object)
    const at = { namespace: object.metadata.namespace, name: object.metadata.name }
    const present = await client.get(kind, at)
    const { status, ...rest } = object as KubeObject & { readonly status?: unknown }
    const made =
      present === undefined
        ? await client.create(kind, rest)
        : await client.mergePatch(kind, at, {
            ...rest,
            metadata: { labels: object.metadata.labels ?? {}, annotations: object.metadata.annotations ?? {} },
          })
    if (status === undefined) return made
    return await client.mergePatch(kind, at, { status }, { subresource: 'status' })
  }
  return {
    client,
    configFor,
    put,
    proxyToken: async (o) => (await api.issueToken({ ...o, audiences: ['istio-ca'] })).token,
    apiToken: async (o) => (await api.issueToken(o)).token,
    async applyManifest(file) {
      for (const document of parseAllDocuments(readFileSync(join(MANIFESTS, file), 'utf8'))) {
        const object = document.toJS() as KubeObject | null
        if (object !== null) await put(object)
      }
    },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await api.close()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function kindOf(object: KubeObject): ResourceKind {
  const lower = object.kind.toLowerCase()
  const plural =
    lower.endsWith('y') && !lower.endsWith('ay')
      ? `${lower.slice(0, -1)}ies`
      : lower.endsWith('s')
        ? `${lower}es`
        : `${lower}s`
  return { apiVersion: object.apiVersion, kind: object.kind, plural }
}
