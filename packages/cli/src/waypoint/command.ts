import { LABELS } from '@ambit/api'
import type { Context } from '../context.types.ts'
import type { CommandSpec, FlagSpec } from '../grammar/command.types.ts'
import { runWaypointApply } from './run-apply.ts'
import { runWaypointDelete } from './run-delete.ts'
import { runWaypointGenerate } from './run-generate.ts'
import { runWaypointList } from './run-list.ts'
import { runWaypointStatus } from './run-status.ts'

const NAME: FlagSpec = {
  name: 'name',
  kind: 'text',
  placeholder: 'NAME',
  summary: 'name of the waypoint (waypoint)',
}
const SERVICE_ACCOUNT: FlagSpec = {
  name: 'service-account',
  short: 's',
  kind: 'text',
  placeholder: 'SA',
  summary: 'Istio 1.18’s form: the waypoint of the pods of this account',
}
/** Flags of every waypoint command, before or after its name. */
const SHARED: readonly FlagSpec[] = [NAME, SERVICE_ACCOUNT]
const FOR: FlagSpec = {
  name: 'for',
  kind: 'text',
  placeholder: 'TYPE',
  summary: 'traffic the waypoint takes: service, workload, all or none (the class’s default: service)',
}
const REVISION: FlagSpec = {
  name: 'revision',
  short: 'r',
  kind: 'text',
  placeholder: 'REV',
  summary: 'revision to label the waypoint with',
}
const WAYPOINT_TIMEOUT: FlagSpec = {
  name: 'waypoint-timeout',
  kind: 'duration',
  placeholder: 'DURATION',
  summary: 'how long to wait (90s)',
}
const ALL_NAMESPACES: FlagSpec = {
  name: 'all-namespaces',
  short: 'A',
  kind: 'none',
  summary: 'waypoints of all namespaces',
}

/** `waypoint`, at the top level and, under the name it had until 1.22, below `experimental`. */
export function waypointCommand(path: 'ambit' | 'ambit x'): CommandSpec<Context> {
  return {
    name: 'waypoint',
    summary: 'Waypoints: proxies that apply HTTP policies and routes to services or workloads',
    details:
      `Until a waypoint has an address, traffic that should pass it goes direct, as with Istio. The label\n` +
      `${LABELS.requireWaypoint}=true on a namespace or service makes ztunnel refuse such traffic instead.`,
    examples: [`${path} waypoint apply -n shop --enroll-namespace --wait`, `${path} waypoint list -A`],
    flags: SHARED,
    subcommands: [
      {
        name: 'apply',
        summary: 'Apply a waypoint to a namespace',
        details:
          'With --service-account, as Istio 1.18: a Gateway named after the account, or `namespace` when it is empty, whose\n' +
          'policies select `istio.io/gateway-name: NAME`; not together with --name, --for, --enroll-namespace, --overwrite.',
        examples: [
          `${path} waypoint apply`,
          `${path} waypoint apply -n shop --enroll-namespace --wait`,
          `${path} waypoint apply -n shop --name reviews --for workload`,
          `${path} waypoint apply --service-account bookinfo-productpage`,
        ],
        flags: [
          ...SHARED,
          FOR,
          { name: 'enroll-namespace', kind: 'none', summary: 'label the namespace with istio.io/use-waypoint as well' },
          { name: 'overwrite', kind: 'none', summary: 'replace the waypoint the namespace uses' },
          REVISION,
          { name: 'wait', short: 'w', kind: 'none', summary: 'wait until the waypoint serves' },
          WAYPOINT_TIMEOUT,
        ],
        run: runWaypointApply,
      },
      {
        name: 'generate',
        summary: 'Print a waypoint as YAML',
        examples: [`${path} waypoint generate -n shop --for all | kubectl apply -f -`],
        flags: [...SHARED, FOR, REVISION],
        run: runWaypointGenerate,
      },
      {
        name: 'delete',
        summary: 'Delete waypoints; other Gateways are never touched',
        examples: [`${path} waypoint delete waypoint -n shop`, `${path} waypoint delete --all -n shop`],
        positional: { name: 'name', min: 0, max: Number.MAX_SAFE_INTEGER },
        flags: [
          ...SHARED,
          { name: 'all', kind: 'none', summary: 'all waypoints of the namespace' },
          { ...REVISION, summary: 'all waypoints of this revision' },
        ],
        run: runWaypointDelete,
      },
      {
        name: 'list',
        summary: 'List waypoints',
        examples: [`${path} waypoint list -n shop`, `${path} waypoint list -A`],
        flags: [...SHARED, ALL_NAMESPACES],
        run: (invocation, context) => runWaypointList(invocation, context, path === 'ambit x'),
      },
      {
        name: 'status',
        summary: 'Whether waypoints serve; waits until they do',
        examples: [`${path} waypoint status -n shop`, `${path} waypoint status -A --wait=false`],
        flags: [
          ...SHARED,
          ALL_NAMESPACES,
          { name: 'wait', short: 'w', kind: 'none', summary: 'look again until it serves (true)' },
          WAYPOINT_TIMEOUT,
        ],
        run: runWaypointStatus,
      },
    ],
  }
}
