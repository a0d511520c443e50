import { ANNOTATIONS } from '@ambit/api'
import { type Ip, parseIp } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import type { ContainerPort, Pod } from '../domain.types.ts'
import { decodeMeta, specOf, statusOfObject } from './decode-meta.ts'
import { list, portNumber, record, type StringMap, text } from './json.ts'
import { workloadNameOf } from './workload-name.ts'

export function decodePod(object: KubeObject): Pod {
  const spec = specOf(object)
  const status = statusOfObject(object)
  const meta = decodeMeta(object)
  const phase = text(status['phase']) ?? ''
  const ips = podIps(status)
  return {
    ...meta,
    uid: object.metadata.uid ?? '',
    ips,
    running: ips.length > 0 && phase !== 'Succeeded' && phase !== 'Failed',
    failed: phase === 'Failed',
    ready: object.metadata.deletionTimestamp === undefined && isReady(status),
    hostNetwork: spec['hostNetwork'] === true,
    node: text(spec['nodeName']) ?? '',
    serviceAccount: text(spec['serviceAccountName']) || 'default',
    workloadName: workloadNameOf(object.metadata, meta.labels),
    isRouter: list(spec['containers']).some((container) => runsRouter(record(container)['args'])),
    ports: containerPorts(spec),
  }
}

/** A pod as it is kept: decoded once, and what says which object it is. */
interface KnownPod extends KubeObject {
  readonly pod: Pod
}

/** What {@link keepPod} decoded. */
export function podOf(object: KubeObject): Pod {
  return (object as Partial<KnownPod>).pod ?? decodePod(object)
}

/** Tens of thousands of pods are kept: only what is read of them is. */
export function keepPod(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = object
  const { namespace, name, uid, resourceVersion, labels } = metadata
  try {
    const pod = decodePod(object)
    const known: KnownPod = {
      apiVersion,
      kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        ...(labels === undefined ? {} : { labels }),
      },
      // Its generation says nothing that is not told by what changed.
      pod: { ...pod, generation: 0, annotations: readAnnotations(pod.annotations) },
    }
    return known
  } catch {
    // Who decodes it says what is wrong with it.
    return object
  }
}
const CAPTURED: StringMap = { [ANNOTATIONS.redirection]: 'enabled' }
const NONE: StringMap = {}

function readAnnotations(annotations: StringMap): StringMap {
  const redirection = annotations[ANNOTATIONS.redirection]
  if (redirection === undefined) return NONE
  return redirection === CAPTURED[ANNOTATIONS.redirection] ? CAPTURED : { [ANNOTATIONS.redirection]: redirection }
}

const ROUTER_ARGS: readonly string[] = ['proxy', 'router']

/** Started as a gateway, as Istio's charts and gateway templates do. */
function runsRouter(args: unknown): boolean {
  const words = list(args)
  const at = words.indexOf(ROUTER_ARGS[0])
  return at >= 0 && words[at + 1] === ROUTER_ARGS[1]
}

function podIps(status: Readonly<Record<string, unknown>>): readonly Ip[] {
  const all = list(status['podIPs']).map((entry) => record(entry)['ip'])
  const spelled = all.length > 0 ? all : [status['podIP']]
  return spelled.flatMap((value) => parseIp(text(value) ?? '') ?? [])
}

function isReady(status: Readonly<Record<string, unknown>>): boolean {
  return list(status['conditions']).some((condition) => {
    const { type, status: value } = record(condition) as { readonly type?: unknown; readonly status?: unknown }
    return type === 'Ready' && value === 'True'
  })
}

/** Ports of containers, and of init containers that keep running. */
function containerPorts(spec: Readonly<Record<string, unknown>>): readonly ContainerPort[] {
  const staying = list(spec['initContainers']).filter((container) => record(container)['restartPolicy'] === 'Always')
  return [...list(spec['containers']), ...staying].flatMap((container) =>
    list(record(container)['ports']).flatMap((entry) => {
      const port = record(entry)
      const number = portNumber(port['containerPort'])
      if (number === undefined) return []
      return [{ name: text(port['name']) ?? '', port: number, protocol: text(port['protocol']) ?? 'TCP' }]
    }),
  )
}
