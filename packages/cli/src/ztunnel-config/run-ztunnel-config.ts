import { stringify } from 'yaml'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import { ClusterError } from '../errors.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { parseJson } from '../json.ts'
import { textTable } from '../text-table.ts'
import type { ConfigDump } from './config-dump.types.ts'
import { decodeConfigDump } from './decode-config-dump.ts'
import type { DumpFilter } from './select.ts'
import { selectCertificates, selectPolicies, selectRawPods, selectServices, selectWorkloads } from './select.ts'
import { selectZtunnel } from './select-pod.ts'
import { certificateTable, connectionTable, policyTable, serviceTable, workloadTable } from './tables.ts'

export type Section = 'workloads' | 'services' | 'policies' | 'certificates' | 'connections'

const ADMIN_PORT = 15000
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
  const dump = decodeConfigDump(await loadDump(invocation, context))
  const output = flags.text('output') ?? 'short'
  if (output !== 'short') {
    const shown = sections.map((section): [string, unknown] => RAW[section](dump, filterOf(section, flags)))
    const [only] = shown
    const value = shown.length === 1 && only !== undefined ? only[1] : Object.fromEntries(shown)
    context.out(output === 'json' ? JSON.stringify(value, undefined, 2) : stringify(value).trimEnd())
    return EXIT.ok
  }
  for (const [index, section] of sections.entries()) {
    if (sections.length > 1) {
      if (index > 0) context.out('')
      if (flags.has('with-headers')) context.out(`# ${TITLES[section]}`)
    }
    const padding = section === 'certificates' ? 5 : 1
    for (const line of textTable(TABLES[section](dump, flags, context.now()), padding)) context.out(line)
  }
  return EXIT.ok
}

type Rows = readonly (readonly string[])[]

/** How each section becomes a table. */
const TABLES: Readonly<Record<Section, (dump: ConfigDump, flags: Flags, nowMs: number) => Rows>> = {
  workloads: (dump, flags) => workloadTable(dump, filterOf('workloads', flags)),
  services: (dump, flags) => serviceTable(dump, filterOf('services', flags)),
  policies: (dump, flags) => policyTable(dump, filterOf('policies', flags)),
  certificates: (dump, _flags, nowMs) => certificateTable(dump, nowMs),
  connections: (dump, flags) =>
    connectionTable(dump, filterOf('connections', flags), { raw: flags.has('raw'), tls: flags.has('tls') }),
}

/** Member of the dump that each section is, and what -o json|yaml shows of it. */
const RAW: Readonly<Record<Section, (dump: ConfigDump, filter: DumpFilter) => [string, unknown]>> = {
  workloads: (dump, filter) => ['workloads', selectWorkloads(dump, filter).map(({ raw }) => raw)],
  services: (dump, filter) => ['services', selectServices(dump, filter).map(({ raw }) => raw)],
  policies: (dump, filter) => ['policies', selectPolicies(dump, filter).map(({ raw }) => raw)],
  certificates: (dump) => ['certificates', selectCertificates(dump).map(({ raw }) => raw)],
  connections: (dump, filter) => ['workloadState', selectRawPods(dump, filter)],
}

/** The namespace is the section's own flag or, for all of them, `-n`. */
const NAMESPACE_FLAGS: Readonly<Record<Section, string>> = {
  workloads: 'workload-namespace',
  services: 'service-namespace',
  policies: 'policy-namespace',
  certificates: 'namespace',
  connections: 'workload-namespace',
}

function filterOf(section: Section, flags: Flags): DumpFilter {
  return {
    namespace: flags.text(NAMESPACE_FLAGS[section]) ?? flags.text('namespace'),
    node: flags.text('workload-node'),
    address: flags.text('address'),
    direction: flags.text('direction'),
  }
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
