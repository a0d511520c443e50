import { stringify } from 'yaml'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import { ClusterError } from '../errors.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import type { JsonObject } from '../json.ts'
import { asObject, parseJson } from '../json.ts'
import { textTable } from '../text-table.ts'
import type { ConfigDump } from './config-dump.types.ts'
import { decodeConfigDump } from './decode-config-dump.ts'
import { selectZtunnel } from './select-pod.ts'
import { certificateTable, connectionTable, policyTable, serviceTable, workloadTable } from './tables.ts'

export type Section = 'workloads' | 'services' | 'policies' | 'certificates' | 'connections'

const ADMIN_PORT = 15000
/** Members of the dump that each section shows with -o json|yaml. */
const MEMBERS: Readonly<Record<Section, string>> = {
  workloads: 'workloads',
  services: 'services',
  policies: 'policies',
  certificates: 'certificates',
  connections: 'workloadState',
}
const TITLES: Readonly<Record<Section, string>> = {
  workloads: 'Workloads',
  services: 'Services',
  policies: 'Policies',
  certificates: 'Certificates',
  connections: 'Connections',
}

/** `ambit ztunnel-config …`: one section, or several under titles. */
export async function runZtunnelConfig(
  sections: readonly Section[],
  invocation: Invocation,
  context: Context,
): Promise<ExitCode> {
  const { flags } = invocation
  const dump = asObject(await loadDump(invocation, context))
  const output = flags.text('output') ?? 'short'
  if (output !== 'short') {
    const only = sections.length === 1 ? dump[MEMBERS[sections[0] ?? 'workloads']] : pick(dump, sections)
    context.out(output === 'json' ? JSON.stringify(only ?? [], undefined, 2) : stringify(only ?? []).trimEnd())
    return EXIT.ok
  }
  const decoded = decodeConfigDump(dump)
  for (const [index, section] of sections.entries()) {
    if (sections.length > 1) {
      if (index > 0) context.out('')
      if (flags.has('with-headers')) context.out(`# ${TITLES[section]}`)
    }
    const padding = section === 'certificates' ? 5 : 1
    for (const line of textTable(TABLES[section](decoded, flags, context.now()), padding)) context.out(line)
  }
  return EXIT.ok
}

type Rows = readonly (readonly string[])[]

/** How each section becomes a table. */
const TABLES: Readonly<Record<Section, (dump: ConfigDump, flags: Flags, nowMs: number) => Rows>> = {
  workloads: (dump, flags) =>
    workloadTable(dump, {
      namespace: flags.text('workload-namespace') ?? flags.text('namespace'),
      node: flags.text('workload-node'),
      address: flags.text('address'),
    }),
  services: (dump, flags) =>
    serviceTable(dump, { namespace: flags.text('service-namespace') ?? flags.text('namespace') }),
  policies: (dump, flags) =>
    policyTable(dump, { namespace: flags.text('policy-namespace') ?? flags.text('namespace') }),
  certificates: (dump, _flags, nowMs) => certificateTable(dump, nowMs),
  connections: (dump, flags) =>
    connectionTable(dump, {
      direction: flags.text('direction'),
      raw: flags.has('raw'),
      tls: flags.has('tls'),
      namespace: flags.text('workload-namespace') ?? flags.text('namespace'),
    }),
}

function pick(dump: JsonObject, sections: readonly Section[]): JsonObject {
  return Object.fromEntries(sections.map((section) => [MEMBERS[section], dump[MEMBERS[section]] ?? []]))
}

async function loadDump(invocation: Invocation, context: Context): Promise<unknown> {
  const { flags, positionals } = invocation
  const file = flags.text('file')
  if (file !== undefined) return parseJson(await context.readFile(file), file)
  const namespace = istioNamespace(flags)
  const cluster = await context.cluster(flags)
  const pods = await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace })
  const pod = selectZtunnel(pods, { pod: positionals[0], node: flags.text('node') })
  const port = flags.count('proxy-admin-port') ?? ADMIN_PORT
  const answer = await cluster.ask({ namespace, pod: pod.metadata.name, port, path: '/config_dump' })
  if (answer.status !== 200) {
    throw new ClusterError(`/config_dump of ${pod.metadata.name} answered ${answer.status}`)
  }
  return parseJson(answer.body, `/config_dump of ${pod.metadata.name}`)
}
