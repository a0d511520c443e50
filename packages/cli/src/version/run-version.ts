import { stringify } from 'yaml'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { askIstiod, listIstiods, syncedProxies } from '../proxy-status/istiod.ts'
import { parseBuildInfo, type VersionReport, versionLines } from './version-report.ts'

/** `ambit version`. Without a cluster it tells the client's version and why nothing more. */
export async function runVersion(flags: Flags, context: Context): Promise<ExitCode> {
  const client = { clientVersion: parseBuildInfo(context.version) }
  if (flags.text('remote') === 'false') {
    print(client, flags, context)
    return EXIT.ok
  }
  try {
    print({ ...client, ...(await askMesh(flags, context)) }, flags, context)
    return EXIT.ok
  } catch (error) {
    print(client, flags, context)
    throw error
  }
}

async function askMesh(flags: Flags, context: Context): Promise<Partial<VersionReport>> {
  const namespace = istioNamespace(flags)
  const cluster = await context.cluster(flags)
  const istiods = await listIstiods(cluster, namespace)
  if (istiods.length === 0) {
    context.err(`no ready Istio pods in "${namespace}"`)
    return {}
  }
  const meshVersion: { Component: string; Info: ReturnType<typeof parseBuildInfo> }[] = []
  const dataPlaneVersion: { ID: string; IstioVersion: string }[] = []
  for (const istiod of istiods) {
    meshVersion.push({ Component: 'pilot', Info: parseBuildInfo(await askIstiod(cluster, istiod, '/version')) })
    for (const { name, version } of await syncedProxies(cluster, istiod)) {
      dataPlaneVersion.push({ ID: name, IstioVersion: version })
    }
  }
  dataPlaneVersion.sort((a, b) => (a.ID < b.ID ? -1 : 1))
  return { meshVersion, dataPlaneVersion }
}

function print(report: VersionReport, flags: Flags, context: Context): void {
  const output = flags.text('output')
  if (output === 'json') context.out(JSON.stringify(report, undefined, 2))
  else if (output === 'yaml') context.out(stringify(report).trimEnd())
  else if (report.meshVersion !== undefined) for (const line of versionLines(report)) context.out(line)
  else
    context.out(flags.has('short') ? report.clientVersion.version : `client version: ${report.clientVersion.version}`)
}
