import { AmbitError } from '@ambit/core'
import { NETWORK } from '../net/addresses.ts'
import type { ConfigMap, Secret, Service } from '../objects/cluster.types.ts'
import type { Container, EnvVar, Pod } from '../objects/pod.types.ts'
import { podHostname } from './etc-files.ts'
import { expand } from './expand.ts'
import { type PodFacts, resolveFieldRef, resolveResourceRef } from './field-ref.ts'

/** A container can't be started as it is described; shown as the reason of its waiting state. */
export class ContainerConfigError extends AmbitError {
  readonly code = 'SANDBOX_CONTAINER_CONFIG'
}

export interface EnvironmentSources {
  configMap(namespace: string, name: string): ConfigMap | undefined
  secret(namespace: string, name: string): Secret | undefined
  services(namespace: string): Iterable<Service>
  readonly node: { readonly cpus: number; readonly memoryBytes: number }
}

/** The environment of a container: image, services, envFrom, then env, each able to refer to what came before. */
export function containerEnvironment(
  o: {
    readonly pod: Pod
    readonly container: Container
    readonly facts: PodFacts
    readonly imageEnv: Readonly<Record<string, string>>
  },
  sources: EnvironmentSources,
): Record<string, string> {
  const { pod, container } = o
  const namespace = pod.metadata.namespace ?? 'default'
  const env: Record<string, string> = {
    ...o.imageEnv,
    HOSTNAME: podHostname(pod),
    ...(pod.spec.enableServiceLinks === false ? {} : serviceLinks(sources.services(namespace))),
    KUBERNETES_SERVICE_HOST: NETWORK.apiServiceIp,
    KUBERNETES_SERVICE_PORT: String(NETWORK.apiServicePort),
    KUBERNETES_SERVICE_PORT_HTTPS: String(NETWORK.apiServicePort),
    KUBERNETES_PORT: `tcp://${NETWORK.apiServiceIp}:${NETWORK.apiServicePort}`,
  }
  for (const source of container.envFrom ?? []) {
    const prefix = source.prefix ?? ''
    for (const [key, value] of Object.entries(allOf(source, namespace, sources))) env[prefix + key] = value
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(variable, { ...o, namespace, env }, sources)
    if (value !== undefined) env[variable.name] = value
  }
  return env
}

function valueOf(
  variable: EnvVar,
  o: {
    readonly pod: Pod
    readonly container: Container
    readonly facts: PodFacts
    readonly namespace: string
    readonly env: Readonly<Record<string, string>>
  },
  sources: EnvironmentSources,
): string | undefined {
  const from = variable.valueFrom
  if (from === undefined || from === null) return expand(variable.value ?? '', (name) => o.env[name])
  if (from.fieldRef) {
    const value = resolveFieldRef(o.pod, from.fieldRef.fieldPath, o.facts)
    if (value === undefined)
      throw new ContainerConfigError(`env ${variable.name}: field path ${from.fieldRef.fieldPath} isn't served`)
    return value
  }
  if (from.resourceFieldRef) {
    const name = from.resourceFieldRef.containerName
    const all = [...o.pod.spec.containers, ...(o.pod.spec.initContainers ?? [])]
    const of = all.find((container) => container.name === name) ?? o.container
    return resolveResourceRef(from.resourceFieldRef, of, sources.node)
  }
  const ref = from.configMapKeyRef ?? from.secretKeyRef
  if (!ref) return undefined
  const kind = from.configMapKeyRef ? 'configmap' : 'secret'
  const data = from.configMapKeyRef
    ? sources.configMap(o.namespace, ref.name ?? '')?.data
    : decoded(sources.secret(o.namespace, ref.name ?? '')?.data)
  const value = data?.[ref.key]
  if (value !== undefined || ref.optional === true) return value
  if (data === undefined) throw new ContainerConfigError(`${kind} "${ref.name}" not found`)
  throw new ContainerConfigError(`couldn't find key ${ref.key} in ${kind} ${o.namespace}/${ref.name}`)
}

function allOf(
  source: NonNullable<Container['envFrom']>[number],
  namespace: string,
  sources: EnvironmentSources,
): Readonly<Record<string, string>> {
  const ref = source.configMapRef ?? source.secretRef
  if (ref === undefined) return {}
  const kind = source.configMapRef === undefined ? 'secret' : 'configmap'
  const name = ref.name ?? ''
  const object = kind === 'secret' ? sources.secret(namespace, name) : sources.configMap(namespace, name)
  if (object === undefined) {
    if (ref.optional === true) return {}
    throw new ContainerConfigError(`${kind} "${name}" not found`)
  }
  return kind === 'secret' ? (decoded(object.data) ?? {}) : (object.data ?? {})
}

function decoded(data: Readonly<Record<string, string>> | undefined): Record<string, string> | undefined {
  if (data === undefined) return undefined
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}

/** `<SERVICE>_SERVICE_HOST` and the Docker-link style variables of the services that exist when the container starts. */
export function serviceLinks(services: Iterable<Service>): Record<string, string> {
  const env: Record<string, string> = {}
  for (const service of services) {
    const host = service.spec.clusterIP
    if (host === undefined || host === '' || host === 'None') continue
    const name = (service.metadata.name ?? '').toUpperCase().replaceAll('-', '_')
    const ports = service.spec.ports ?? []
    env[`${name}_SERVICE_HOST`] = host
    for (const [index, port] of ports.entries()) {
      const protocol = (port.protocol ?? 'TCP').toLowerCase()
      const url = `${protocol}://${host}:${port.port}`
      const one = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`
      if (index === 0) Object.assign(env, { [`${name}_SERVICE_PORT`]: String(port.port), [`${name}_PORT`]: url })
      if (port.name) env[`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`] = String(port.port)
      Object.assign(env, {
        [one]: url,
        [`${one}_PROTO`]: protocol,
        [`${one}_PORT`]: String(port.port),
        [`${one}_ADDR`]: host,
      })
    }
  }
  return env
}
