import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type Logger, systemClock } from '../../packages/core/src/index.ts'
import { parseAllDocuments } from '../../packages/sandbox/node_modules/yaml/dist/index.js'
import { ApiCore } from '../../packages/sandbox/src/apiserver/api-core.ts'
import type { KubeObject } from '../../packages/sandbox/src/apiserver/contract.types.ts'

// Documents that a cluster with Istio's CRDs must accept or refuse; outside data, so the tier runs where it is.
const DATA = process.env['AMBIT_DATA'] ?? join(import.meta.dirname, '../../../shared/data')
const CRDS = join(DATA, 'crds')
const DOCUMENTS = join(DATA, 'istio-crd-validation')

const warnings: string[] = []
const logger: Logger = {
  error() {},
  warn: (message) => void warnings.push(message),
  info() {},
  debug() {},
  trace() {},
  enabled: () => false,
  scope: () => logger,
}

/** YAML 1.1, which kubectl reads, takes `001:db8::` in a flow list for a string. */
function documents(path: string): readonly (KubeObject & { _err?: string })[] {
  const text = readFileSync(path, 'utf8').replaceAll(/([\s[])(001:db8::)(?=[\s\],])/g, '$1"$2"')
  return parseAllDocuments(text)
    .map((document) => document.toJS() as (KubeObject & { _err?: string }) | null)
    .filter((document) => document !== null)
}

let shared: Promise<ApiCore> | undefined

/** One for all tests: compiling every rule takes a while, and each document is deleted again. */
function coreWithCrds(): Promise<ApiCore> {
  shared ??= loadCrds()
  return shared
}

async function loadCrds(): Promise<ApiCore> {
  const core = new ApiCore({ clock: systemClock, logger, caPem: '' })
  const client = core.client('test')
  const gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' }
  for (const file of readdirSync(CRDS)) for (const crd of documents(join(CRDS, file))) await client.create(gvr, crd)
  return core
}

const tier = existsSync(CRDS) && existsSync(DOCUMENTS) ? test.serial : test.skip

tier('all CRDs of Istio and the Gateway API are accepted with all their rules', async (t) => {
  const core = await coreWithCrds()
  t.deepEqual(warnings, [])
  t.true(core.registry.find('gateway.networking.k8s.io', 'v1', 'httproutes') !== undefined)
  t.true(core.registry.find('security.istio.io', 'v1', 'authorizationpolicies') !== undefined)
})

for (const file of existsSync(DOCUMENTS) ? readdirSync(DOCUMENTS) : [])
  tier(`${file}: accepted and refused as written`, async (t) => {
    const core = await coreWithCrds()
    const client = core.client('test')
    for (const { _err: expected, ...document } of documents(join(DOCUMENTS, file))) {
      const object: KubeObject = document
      const [group = '', version = ''] = object.apiVersion.split('/')
      const resource = core.registry.findKind(group, object.kind)?.resource ?? ''
      const gvr = { group, version, resource }
      object.metadata = { ...object.metadata, namespace: 'default' }
      const name = object.metadata.name ?? ''
      try {
        await client.create(gvr, object)
        await client.delete(gvr, 'default', name)
        t.is(expected, undefined, `${name} was accepted`)
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        if (expected === undefined) t.fail(`${name}: ${message}`)
        else
          t.true(
            message.includes(expected) || new RegExp(expected).test(message),
            `${name}: wanted ${expected}, got ${message}`,
          )
      }
    }
  })
