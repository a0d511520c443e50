import { analyzeCommand } from './analyze/command.ts'
import { runCompletion } from './completion/run-completion.ts'
import type { Context } from './context.types.ts'
import { dashboardCommand } from './dashboard/command.ts'
import { diffCommand } from './diff/command.ts'
import { explainCommand } from './explain/command.ts'
import { connectionsCommand, graphCommand } from './flows/command.ts'
import type { CommandSpec, FlagSpec } from './grammar/command.types.ts'
import { RENDER_FLAGS } from './install/install-options.ts'
import { runInstall } from './install/run-install.ts'
import { runManifestGenerate, runManifestTranslate } from './install/run-manifest.ts'
import { runUninstall } from './install/run-uninstall.ts'
import { runVerifyInstall } from './install/verify.ts'
import { runOptions } from './options/run-options.ts'
import { runPrecheck } from './precheck/run-precheck.ts'
import { runProxyStatus } from './proxy-status/run-proxy-status.ts'
import { recordCommand } from './record/command.ts'
import { runSandboxImages, runSandboxLoad } from './sandbox/run-images.ts'
import { runSandboxDown, runSandboxKubeconfig, runSandboxStatus, runSandboxUp } from './sandbox/run-sandbox.ts'
import { testCommand } from './test/command.ts'
import { runVersion } from './version/run-version.ts'
import { waypointCommand } from './waypoint/command.ts'
import { runZtunnelLog } from './ztunnel-config/run-log.ts'
import type { Section } from './ztunnel-config/run-ztunnel-config.ts'
import { runZtunnelConfig } from './ztunnel-config/run-ztunnel-config.ts'

type Command = CommandSpec<Context>

const OUTPUT: FlagSpec = {
  name: 'output',
  short: 'o',
  kind: 'text',
  placeholder: 'FORMAT',
  choices: ['short', 'json', 'yaml'],
  summary: 'output format',
}
const YES: FlagSpec = { name: 'skip-confirmation', short: 'y', kind: 'none', summary: 'do not ask' }
const SANDBOX_NAME: FlagSpec = {
  name: 'name',
  kind: 'text',
  placeholder: 'NAME',
  summary: 'name of the sandbox (ambit)',
}

const sandbox: Command = {
  name: 'sandbox',
  summary: 'A Kubernetes-compatible cluster on this machine, for trying the mesh',
  subcommands: [
    {
      name: 'up',
      summary: 'Start a bare cluster; ambit install puts the mesh into it',
      examples: ['ambit sandbox up --nodes 2', 'ambit sandbox up --name other --install'],
      flags: [
        { name: 'nodes', kind: 'count', placeholder: 'N', summary: 'number of nodes (2)' },
        SANDBOX_NAME,
        {
          name: 'data',
          kind: 'text',
          placeholder: 'DIR',
          summary: 'keep objects and keys in DIR for the next start',
        },
        { name: 'install', kind: 'none', summary: 'ambit install -y in it as well' },
        { name: 'set', kind: 'list', placeholder: 'PATH=VALUE', summary: 'as of ambit install, with --install' },
        { name: 'foreground', kind: 'none', summary: 'stay until Ctrl-C, which ends the sandbox' },
      ],
      run: ({ flags }, context) => runSandboxUp(flags, context),
    },
    {
      name: 'down',
      summary: 'End a sandbox and everything in it',
      flags: [SANDBOX_NAME],
      run: ({ flags }, context) => runSandboxDown(flags, context),
    },
    {
      name: 'status',
      summary: 'List sandboxes',
      flags: [SANDBOX_NAME],
      run: ({ flags }, context) => runSandboxStatus(flags, context),
    },
    {
      name: 'load',
      summary: 'Give a program of this machine an image’s name in a running sandbox',
      details:
        'COMMAND has words as in a shell. A program or ./file that containers don’t see is shown to them, read-only, at the same ' +
        'path. IMAGE=FOLDER:PROGRAM shows a folder as /app and runs a program in it.',
      examples: ['ambit sandbox load my/web="node ./server.js"', 'ambit sandbox load my/job=./dist:bin/start'],
      positional: { name: 'IMAGE=COMMAND', min: 1, max: 100 },
      flags: [SANDBOX_NAME],
      run: ({ flags, positionals }, context) => runSandboxLoad(flags, positionals, context),
    },
    {
      name: 'images',
      summary: 'List the images a running sandbox knows',
      flags: [SANDBOX_NAME],
      run: ({ flags }, context) => runSandboxImages(flags, context),
    },
    {
      name: 'kubeconfig',
      summary: 'Path of a sandbox’s kubeconfig',
      flags: [SANDBOX_NAME, { name: 'print', kind: 'none', summary: 'the file’s content instead' }],
      run: ({ flags }, context) => runSandboxKubeconfig(flags, context),
    },
  ],
}

const DRY_RUN: FlagSpec = { name: 'dry-run', kind: 'none', summary: 'say what would be done, and do nothing' }
const INSTALL_FLAGS: readonly FlagSpec[] = [
  ...RENDER_FLAGS,
  YES,
  DRY_RUN,
  { name: 'verify', kind: 'none', summary: 'look at every object afterwards' },
  {
    name: 'readiness-timeout',
    kind: 'duration',
    placeholder: 'DURATION',
    summary: 'how long to wait for readiness (300s)',
  },
]

const install: Command = {
  name: 'install',
  aliases: ['apply'],
  summary: 'Install or reconfigure the mesh, and wait until it serves',
  examples: [
    'ambit install -y',
    'ambit install --set profile=ambient --skip-confirmation',
    'ambit install --set components.ingressGateways[0].enabled=true --set meshConfig.accessLogFile=/dev/stdout -y',
  ],
  flags: INSTALL_FLAGS,
  run: ({ flags }, context) => runInstall(flags, context),
}

const upgrade: Command = {
  name: 'upgrade',
  summary: 'Upgrade the mesh in place: install over what is there, component by component',
  flags: INSTALL_FLAGS,
  run: ({ flags }, context) => runInstall(flags, context),
}

const uninstall: Command = {
  name: 'uninstall',
  summary: 'Remove the mesh; CRDs and the namespace stay',
  flags: [
    { name: 'purge', kind: 'none', summary: 'remove all of the mesh (needed; a single revision cannot be removed)' },
    YES,
    DRY_RUN,
  ],
  run: ({ flags }, context) => runUninstall(flags, context),
}

const verifyInstall: Command = {
  name: 'verify-install',
  summary: 'Look whether every object of the installation is there and ready',
  flags: RENDER_FLAGS,
  run: ({ flags }, context) => runVerifyInstall(flags, context),
}

const MANIFEST_OUTPUT: FlagSpec = {
  name: 'output',
  short: 'o',
  kind: 'text',
  placeholder: 'FILE',
  summary: 'write there instead of to stdout',
}
const CLUSTER_SPECIFIC: FlagSpec = {
  name: 'cluster-specific',
  kind: 'none',
  summary: 'render for the Kubernetes version of the cluster',
}

const manifest: Command = {
  name: 'manifest',
  summary: 'What install would apply',
  subcommands: [
    {
      name: 'generate',
      summary: 'Print the objects of an installation as YAML',
      examples: [
        'ambit manifest generate --set profile=ambient',
        'ambit manifest generate -f mesh.yaml -o mesh-objects.yaml',
      ],
      flags: [...RENDER_FLAGS, MANIFEST_OUTPUT, CLUSTER_SPECIFIC],
      run: ({ flags }, context) => runManifestGenerate(flags, context),
    },
    {
      name: 'translate',
      summary: 'Print the values with which Helm installs the same from the charts',
      flags: [...RENDER_FLAGS, MANIFEST_OUTPUT, CLUSTER_SPECIFIC],
      run: ({ flags }, context) => runManifestTranslate(flags, context),
    },
  ],
}

const precheck: Command = {
  name: 'precheck',
  summary: 'Look whether the mesh can be installed or upgraded in this cluster',
  flags: [
    { ...OUTPUT, choices: ['log', 'json', 'yaml'] },
    { name: 'skip-controlplane', kind: 'none', summary: 'leave out what concerns the control plane' },
    {
      name: 'output-threshold',
      kind: 'text',
      placeholder: 'LEVEL',
      choices: ['Info', 'Warning', 'Error'],
      summary: 'show messages from this level on (Info)',
    },
  ],
  run: ({ flags }, context) => runPrecheck(flags, context),
}

const version: Command = {
  name: 'version',
  summary: 'Versions of this program, of the control plane and of the proxies',
  flags: [
    { name: 'remote', kind: 'none', summary: 'ask the cluster as well (true)' },
    { name: 'short', short: 's', kind: 'none', summary: 'numbers only' },
    { ...OUTPUT, choices: ['json', 'yaml'] },
  ],
  run: ({ flags }, context) => runVersion(flags, context),
}

const ZTUNNEL_NODE: FlagSpec = {
  name: 'node',
  kind: 'text',
  placeholder: 'NODE',
  summary: 'ask the ztunnel of this node',
}
const ZTUNNEL_PORT: FlagSpec = {
  name: 'proxy-admin-port',
  kind: 'count',
  placeholder: 'PORT',
  summary: 'admin port of ztunnel (15000)',
}
const ZTUNNEL_FLAGS: readonly FlagSpec[] = [
  ZTUNNEL_NODE,
  ZTUNNEL_PORT,
  { name: 'file', short: 'f', kind: 'text', placeholder: 'FILE', summary: 'read a saved config_dump instead' },
  OUTPUT,
]
const ADDRESS: FlagSpec = {
  name: 'address',
  kind: 'text',
  placeholder: 'IP',
  summary: 'only the workload with this address',
}
const WORKLOAD_NAMESPACE: FlagSpec = {
  name: 'workload-namespace',
  kind: 'text',
  placeholder: 'NS',
  summary: 'only workloads of this namespace',
}
const WORKLOAD_NODE: FlagSpec = {
  name: 'workload-node',
  kind: 'text',
  placeholder: 'NODE',
  summary: 'only workloads of this node',
}
const CONNECTION_FLAGS: readonly FlagSpec[] = [
  {
    name: 'direction',
    kind: 'text',
    choices: ['inbound', 'outbound'],
    placeholder: 'DIR',
    summary: 'only this direction',
  },
  { name: 'raw', kind: 'none', summary: 'addresses instead of names' },
  { name: 'tls', kind: 'none', summary: 'identities, TLS version and key exchange as well' },
]

function section(
  name: string,
  aliases: readonly string[],
  what: Section,
  summary: string,
  flags: readonly FlagSpec[],
): Command {
  return {
    name,
    aliases,
    summary,
    positional: { name: 'ztunnel-pod', min: 0, max: 1 },
    flags: [...ZTUNNEL_FLAGS, ...flags],
    run: (invocation, context) => runZtunnelConfig([what], invocation, context),
  }
}

const ztunnelConfig: Command = {
  name: 'ztunnel-config',
  aliases: ['zc'],
  summary: 'What a ztunnel knows and does',
  details: 'Asks any ztunnel, or the named pod, or the one of --node.',
  examples: ['ambit ztunnel-config workloads', 'ambit zc connections --node ambit-1 --tls'],
  subcommands: [
    section('workload', ['w', 'workloads'], 'workloads', 'Workloads', [ADDRESS, WORKLOAD_NAMESPACE, WORKLOAD_NODE]),
    section('service', ['services', 's', 'svc'], 'services', 'Services', [
      { name: 'service-namespace', kind: 'text', placeholder: 'NS', summary: 'only services of this namespace' },
    ]),
    section('policy', ['policies', 'p', 'pol'], 'policies', 'Authorization policies', [
      { name: 'policy-namespace', kind: 'text', placeholder: 'NS', summary: 'only policies of this namespace' },
    ]),
    section('certificate', ['certificates', 'certs', 'cert'], 'certificates', 'Certificates', []),
    section('connections', ['cons'], 'connections', 'Open connections', [WORKLOAD_NAMESPACE, ...CONNECTION_FLAGS]),
    {
      name: 'all',
      summary: 'Everything above',
      positional: { name: 'ztunnel-pod', min: 0, max: 1 },
      flags: [
        ...ZTUNNEL_FLAGS,
        { name: 'with-headers', kind: 'none', summary: 'a title above each table' },
        ...CONNECTION_FLAGS,
      ],
      run: (invocation, context) =>
        runZtunnelConfig(['workloads', 'services', 'policies', 'certificates', 'connections'], invocation, context),
    },
    {
      name: 'log',
      summary: 'Log levels of one ztunnel',
      positional: { name: 'ztunnel-pod', min: 0, max: 1 },
      flags: [
        ZTUNNEL_NODE,
        ZTUNNEL_PORT,
        {
          name: 'level',
          kind: 'text',
          placeholder: 'LEVELS',
          summary: 'new levels: debug, or scope:level,scope:level',
        },
        { name: 'reset', short: 'r', kind: 'none', summary: 'back to the levels of the start' },
      ],
      run: runZtunnelLog,
    },
  ],
}

const proxyStatus: Command = {
  name: 'proxy-status',
  aliases: ['ps'],
  summary: 'Which proxies are connected to the control plane, and what they subscribe to',
  positional: { name: 'pod', min: 0, max: 1 },
  flags: [
    OUTPUT,
    { name: 'verbosity', short: 'v', kind: 'count', placeholder: 'N', summary: '1: one column per type' },
  ],
  run: runProxyStatus,
}

/** A command of istioctl that this version does not have; `instead` says what to do meanwhile. */
function later(name: string, instead: string, aliases: readonly string[] = []): Command {
  return { name, aliases, summary: '', notYet: `this version does not have it yet. Instead: ${instead}` }
}

const LATER: readonly Command[] = [
  later('proxy-config', 'ambit ztunnel-config; there is no Envoy in this mesh', ['pc']),
  later('tag', 'nothing; there is one revision, default'),
  later('admin', 'kubectl -n istio-system logs deploy/istiod', ['istiod']),
  later('bug-report', 'kubectl cluster-info dump'),
  later('validate', 'kubectl apply --dry-run=server -f FILE', ['v']),
  later('kube-inject', 'kubectl label namespace NS istio.io/dataplane-mode=ambient; there are no sidecars'),
  later('create-remote-secret', 'nothing; one cluster only'),
  later('remote-clusters', 'nothing; one cluster only'),
]

const experimental: Command = {
  name: 'experimental',
  aliases: ['x', 'exp'],
  summary: 'Commands under the names they have, or had, below experimental',
  subcommands: [
    waypointCommand('ambit x'),
    version,
    proxyStatus,
    precheck,
    later('authz', 'kubectl get authorizationpolicies -A -o yaml; ambit zc policies', ['az']),
    later('describe', 'kubectl describe; ambit zc workloads', ['des']),
    later('metrics', 'kubectl port-forward to port 15020 of the proxy, /stats/prometheus'),
    later('config', 'flags; there is no configuration file'),
    later('workload', 'nothing; workloads outside of the cluster are not part of this version'),
    later('internal-debug', 'kubectl port-forward to port 15014 of istiod, /debug'),
    later('envoy-stats', 'kubectl port-forward to port 15020 of the proxy; there is no Envoy in this mesh'),
    later('check-inject', 'kubectl get pods -o yaml shows ambient.istio.io/redirection; there are no sidecars'),
    later('injector', 'nothing; there are no sidecars'),
  ],
}

const completion: Command = {
  name: 'completion',
  summary: 'Print a script that completes ambit’s commands and flags in a shell',
  subcommands: [
    {
      name: 'bash',
      summary: 'For bash 4 or newer',
      examples: ['source <(ambit completion bash)', 'ambit completion bash > /etc/bash_completion.d/ambit'],
      run: (_invocation, context) => runCompletion('bash', COMMAND_TREE, context),
    },
    {
      name: 'zsh',
      summary: 'For zsh',
      examples: ['source <(ambit completion zsh)', 'ambit completion zsh > "${fpath[1]}/_ambit"'],
      run: (_invocation, context) => runCompletion('zsh', COMMAND_TREE, context),
    },
  ],
}

const options: Command = {
  name: 'options',
  summary: 'List the flags every command takes',
  run: (_invocation, context) => runOptions(context),
}

/** Everything `ambit` understands. */
export const COMMAND_TREE: Command = {
  name: 'ambit',
  summary: 'Ambient service mesh: install it, look into it, try it on this machine',
  subcommands: [
    install,
    upgrade,
    uninstall,
    manifest,
    verifyInstall,
    waypointCommand('ambit'),
    ztunnelConfig,
    proxyStatus,
    analyzeCommand,
    diffCommand,
    recordCommand,
    dashboardCommand,
    explainCommand,
    connectionsCommand,
    graphCommand,
    testCommand,
    version,
    sandbox,
    completion,
    options,
    experimental,
    ...LATER,
  ],
}
