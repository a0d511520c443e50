import type { AnyObject, FileProblem, Position, Sourced } from '@ambit/analyze'
import { type Inventory, keyOf } from './inventory.ts'
import type { DeclaredService, DeclaredWorkload, Labels, PolicyTest } from './policy-test.types.ts'

export interface Declared {
  readonly objects: readonly Sourced[]
  readonly problems: readonly FileProblem[]
}

const MODE = 'istio.io/dataplane-mode'

/** What a test declares, as the objects that manifests would have. Nothing is declared that is there already. */
export function declaredObjects(test: PolicyTest, known: Inventory): Declared {
  const { place } = test
  const problems: FileProblem[] = []
  const objects: Sourced[] = []
  const seen = new Set<string>()
  const declare = (object: AnyObject, { line, column }: Position, present: boolean): void => {
    const name = `${object.kind.toLowerCase()} ${keyOf(object).replace(/^\//, '')}`
    const problem = present
      ? `${name} is in a manifest already`
      : seen.has(name)
        ? `${name} is declared twice`
        : undefined
    seen.add(name)
    if (problem !== undefined) problems.push({ file: place.file, line, column, message: problem })
    objects.push({
      object,
      place: { file: place.file, line, lineOf: () => line, positionOf: () => ({ line, column }) },
    })
  }
  for (const { name, labels, at } of test.namespaces)
    declare(namespaceOf(name, labels), at, known.namespaceObjects.has(name))
  const named = new Set(test.namespaces.map(({ name }) => name))
  for (const { namespace, at } of [...test.workloads, ...test.services]) {
    if (named.has(namespace) || known.namespaceObjects.has(namespace)) continue
    named.add(namespace)
    declare(namespaceOf(namespace, {}), at, false)
  }
  for (const workload of test.workloads) declare(podOf(workload), workload.at, known.workloads.has(keyIn(workload)))
  for (const service of test.services) declare(serviceOf(service), service.at, known.services.has(keyIn(service)))
  return { objects, problems }
}

function keyIn({ namespace, name }: DeclaredWorkload | DeclaredService): string {
  return `${namespace}/${name}`
}

function namespaceOf(name: string, labels: Labels): AnyObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}

function podOf({ namespace, name, serviceAccount, labels, ip, ports, inMesh }: DeclaredWorkload): AnyObject {
  const container = { name, ports: ports.map((containerPort) => ({ containerPort })) }
  const running = {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: 'Ready', status: 'True' }],
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    // What the labels say themselves stands.
    metadata: { namespace, name, labels: { [MODE]: inMesh ? 'ambient' : 'none', ...labels } },
    spec: { serviceAccountName: serviceAccount, nodeName: 'node', containers: [container] },
    ...(ip === undefined ? {} : { status: running }),
  }
}

function serviceOf({ namespace, name, ports, selector, labels }: DeclaredService): AnyObject {
  const written = ports.map(({ name: title, port, targetPort, appProtocol }) => ({
    name: title ?? `port-${port}`,
    port,
    targetPort,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }))
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name, labels },
    spec: { selector, ports: written },
  }
}
