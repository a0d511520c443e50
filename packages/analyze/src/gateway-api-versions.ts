import type { Code } from './codes.ts'
import { type Json, list, record, text } from './field.ts'

const GATEWAY_API = 'gateway.networking.k8s.io'
const BUNDLE_VERSION = 'gateway.networking.k8s.io/bundle-version'
/** Gateway API's kinds, the version that has to be served, and the one that will have to be. */
const NEEDED: Readonly<Record<string, { readonly must?: string; readonly should?: string }>> = {
  Gateway: { must: 'v1beta1', should: 'v1' },
  GatewayClass: { must: 'v1beta1', should: 'v1' },
  HTTPRoute: { must: 'v1beta1', should: 'v1' },
  ReferenceGrant: { must: 'v1beta1' },
  GRPCRoute: { should: 'v1' },
}
/** Kinds are not watched below this release of Gateway API. */
const MIN_BUNDLE: Readonly<Record<string, string>> = {
  GRPCRoute: '1.1.0',
  BackendTLSPolicy: '1.4.0',
  TLSRoute: '1.5.0',
  TCPRoute: '1.6.0',
}

export interface VersionProblem {
  readonly code: Code
  readonly message: string
}

/** Gateway API may be absent; if a CRD of it is there it has to be new enough. */
export function checkGatewayApi(crd: {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> | undefined }
  readonly spec?: unknown
}): readonly VersionProblem[] {
  const spec = record(crd.spec)
  if (text(spec['group']) !== GATEWAY_API) return []
  const kind = text(record(spec['names'])['kind'])
  return [...servedVersions(spec, kind), ...bundleVersion(crd.metadata, kind)]
}

function servedVersions(spec: Json, kind: string): readonly VersionProblem[] {
  const served = list(spec['versions'])
    .map(record)
    .filter((version) => version['served'] === true)
    .map((version) => text(version['name']))
    .toSorted()
  const { must, should } = NEEDED[kind] ?? {}
  const has = served.length === 0 ? 'none' : served.join(',')
  const sentence = (minimum: string): string =>
    `The Gateway API CRD version ${has} is lower than the minimum version: ${minimum}`
  const problems: VersionProblem[] = []
  if (must !== undefined && !served.includes(must)) problems.push({ code: 'IST0156', message: sentence(must) })
  if (should !== undefined && !served.includes(should)) problems.push({ code: 'IST0172', message: sentence(should) })
  return problems
}

function bundleVersion(
  { name, annotations }: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> | undefined },
  kind: string,
): readonly VersionProblem[] {
  const minimum = MIN_BUNDLE[kind]
  const version = annotations?.[BUNDLE_VERSION] ?? ''
  if (minimum === undefined || version === '' || !isBelow(version, minimum)) return []
  return [
    {
      code: 'IST0176',
      message: `Gateway API CRD ${JSON.stringify(name)} is at version ${JSON.stringify(version)} but Istio requires at least ${JSON.stringify(`v${minimum}`)}; resources of this kind will not be processed. Upgrade the Gateway API CRDs to satisfy the minimum version.`,
    },
  ]
}

function isBelow(version: string, minimum: string): boolean {
  const [a, b] = [version, minimum].map((written) => (/(\d+)\.(\d+)\.(\d+)/.exec(written) ?? []).slice(1).map(Number))
  if (a?.length !== 3 || b?.length !== 3) return false
  for (const [i, part] of a.entries()) if (part !== b[i]) return part < (b[i] ?? 0)
  return false
}
