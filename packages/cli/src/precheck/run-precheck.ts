import { messageOf } from '@ambit/core'
import { stringify } from 'yaml'
import type { Cluster } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { tick } from '../install/apply-mesh.ts'
import { asObject, asText } from '../json.ts'
import { CREATED, checkGatewayApi, checkKubernetes, missingPermission } from './checks.ts'
import { LEVELS, type PrecheckMessage } from './message.types.ts'

const DOCUMENTATION = 'https://istio.io/latest/docs/reference/config/analysis'

/** `ambit x precheck`: can the mesh be installed or upgraded here? */
export async function runPrecheck(flags: Flags, context: Context): Promise<ExitCode> {
  const cluster = await context.cluster(flags)
  const messages = flags.has('skip-controlplane') ? [] : await check(cluster, istioNamespace(flags))
  const threshold = LEVELS.findIndex((level) => level === (flags.text('output-threshold') ?? 'Info'))
  const shown = messages.filter(({ level }) => LEVELS.indexOf(level) <= threshold)
  const format = flags.text('output') ?? 'log'
  if (shown.length > 0 || format !== 'log') print(shown, format, context)
  if (shown.length === 0) {
    context.err(
      `${tick(context)} No issues found when checking the cluster. Istio is safe to install or upgrade!\n` +
        '  To get started, check out https://istio.io/latest/docs/setup/getting-started/.',
    )
  }
  if (messages.every(({ level }) => level === 'Info')) return EXIT.ok
  context.err(
    'Error: Issues found when checking the cluster. Istio may not be safe to install or upgrade.\n' +
      `See ${DOCUMENTATION} for more information about causes and resolutions.`,
  )
  return EXIT.failure
}

async function check(cluster: Cluster, namespace: string): Promise<readonly PrecheckMessage[]> {
  const [version, permissions, crds] = await Promise.all([
    cluster.serverVersion(),
    Promise.all(CREATED.map((what) => checkPermission(cluster, namespace, what))),
    cluster.list({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }),
  ])
  const found = [...checkKubernetes(version), ...permissions.flat(), ...checkGatewayApi(crds)]
  return found.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || (a.code < b.code ? -1 : 1))
}

async function checkPermission(
  cluster: Cluster,
  namespace: string,
  { group, resource, namespaced }: (typeof CREATED)[number],
): Promise<readonly PrecheckMessage[]> {
  try {
    const answer = await cluster.create({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { verb: 'create', group, resource, ...(namespaced ? { namespace } : {}) } },
    })
    const status = asObject(answer['status'])
    return status['allowed'] === true ? [] : [missingPermission(resource, asText(status['reason']))]
  } catch (error) {
    return [missingPermission(resource, messageOf(error))]
  }
}

function print(messages: readonly PrecheckMessage[], format: string, context: Context): void {
  if (format === 'log') {
    for (const { level, code, origin, message } of messages) context.out(`${level} [${code}] (${origin}) ${message}`)
    return
  }
  const entries = messages.map(({ level, code, origin, message }) => ({
    code,
    documentationUrl: `${DOCUMENTATION}/${code.toLowerCase()}/`,
    level,
    message,
    origin,
  }))
  context.out(format === 'json' ? JSON.stringify(entries, undefined, '\t') : stringify(entries).trimEnd())
}
