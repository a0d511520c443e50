import { ANNOTATIONS } from '@ambit/api'
import { type Ip, parseIp } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import type { ContainerPort, Pod } from '../domain.types.ts'
import { decodeMeta, specOf, statusOfObject } from './decode-meta.ts'
import { list, portNumber, record, text } from './json.ts'
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

/** Only what {@link decodePod} reads: tens of thousands of pods are kept. */
export function trimPod(object: KubeObject): KubeObject {
  const spec = specOf(object)
  const status = statusOfObject(object)
  const { metadata } = object
  const annotation = metadata.annotations?.[ANNOTATIONS.redirection]
  const sidecar = metadata.annotations?.[ANNOTATIONS.sidecarStatus]
  const slim = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
      ...(metadata.generateName === undefined ? {} : { generateName: metadata.generateName }),
      ...(metadata.creationTimestamp === undefined ? {} : { creationTimestamp: metadata.creationTimestamp }),
      ...(metadata.deletionTimestamp === undefined ? {} : { deletionTimestamp: metadata.deletionTimestamp }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: {
        ...(annotation === undefined ? {} : { [ANNOTATIONS.redirection]: annotation }),
        ...(sidecar === undefined ? {} : { [ANNOTATIONS.sidecarStatus]: '' }),
      },
      ownerReferences: (metadata.ownerReferences ?? []).filter((reference) => reference.controller === true),
    },
    spec: {
      hostNetwork: spec['hostNetwork'],
      nodeName: spec['nodeName'],
      serviceAccountName: spec['serviceAccountName'],
      containers: withPorts(spec['containers']),
      initContainers: withPorts(spec['initContainers']),
    },
    status: {
      phase: status['phase'],
      podIP: status['podIP'],
      podIPs: status['podIPs'],
      conditions: list(status['conditions']).filter((condition) => record(condition)['type'] === 'Ready'),
    },
  }
  return slim
}

function withPorts(containers: unknown): readonly unknown[] {
  return list(containers).flatMap((container) => {
    const { ports, restartPolicy, args } = record(container)
    const router = runsRouter(args)
    return list(ports).length === 0 && !router
      ? []
      : [{ ports, restartPolicy, ...(router ? { args: ROUTER_ARGS } : {}) }]
  })
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
