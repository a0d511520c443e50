// `ambit sandbox up --data DIR`: what was in a cluster is there again, however it ended.
import { copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxStatus } from '@ambit/sandbox'
import test from 'ava'
import { type CommandResult, runCommand } from '../support/command.ts'

const ambit = join(import.meta.dirname, '../../node_modules/.bin/ambit')

test.serial('objects, kubeconfig and tokens outlive a killed daemon and a clean end', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'ambit-kept-'))
  const data = join(home, 'data')
  // The kubeconfig of the first start is used to the end.
  const kubeconfig = join(home, 'kubeconfig')
  const env = { ...process.env, AMBIT_HOME: home, HOME: home, KUBECONFIG: kubeconfig, NO_COLOR: '1' }
  const must = async (program: string, ...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand(program, args, { env })
    t.is(code, 0, `${program} ${args.join(' ')}\n${stdout}${stderr}`)
    return stdout
  }
  const up = (name: string, nodes: string): Promise<CommandResult> =>
    runCommand(ambit, ['sandbox', 'up', '--name', name, '--nodes', nodes, '--data', data], { env })
  t.teardown(async () => {
    await runCommand(ambit, ['sandbox', 'down', '--name', 'kept'], { env })
    await rm(home, { recursive: true, force: true })
  })
  const isReady = ['wait', 'deployment/web', '--for=condition=Available', '--timeout=60s'] as const

  t.is((await up('kept', '2')).code, 0)
  const first = sandboxStatus('kept', home)
  await copyFile(first?.kubeconfig ?? '', kubeconfig)
  await must('kubectl', 'create', 'deployment', 'web', '--image=kong/httpbin', '--replicas=3')
  await must('kubectl', ...isReady)
  await must('kubectl', 'create', 'secret', 'generic', 'word', '--from-literal=a=b')
  const token = (await must('kubectl', 'create', 'token', 'default')).trim()
  const uid = await must('kubectl', 'get', 'secret', 'word', '-o', 'jsonpath={.metadata.uid}')
  t.is((await stat(join(data, 'cluster.db'))).mode & 0o777, 0o600)

  const other = await up('other', '1')
  t.not(other.code, 0)
  t.regex(other.stderr, /is in use by another sandbox/)

  process.kill(first?.pid ?? 0, 'SIGKILL')
  t.is((await up('kept', '2')).code, 0)
  t.is(sandboxStatus('kept', home)?.apiUrl, first?.apiUrl)
  t.is(await must('kubectl', 'get', 'secret', 'word', '-o', 'jsonpath={.metadata.uid}'), uid)
  await must('kubectl', ...isReady)
  const server = first?.apiUrl ?? ''
  const whoami = ['--kubeconfig=/dev/null', `--server=${server}`, `--token=${token}`, '--insecure-skip-tls-verify']
  t.regex(await must('kubectl', ...whoami, 'get', '--raw', '/api/v1'), /"pods"/)
  t.is((await runCommand('kubectl', [...whoami, 'get', '--raw', '/healthz'], { env })).stdout, 'ok')

  // Fewer nodes: what ran on the others runs on those that are left.
  await must(ambit, 'sandbox', 'down', '--name', 'kept')
  t.is((await up('kept', '1')).code, 0)
  await must('kubectl', 'wait', 'deployment/web', '--for=jsonpath={.status.readyReplicas}=3', '--timeout=60s')
  const nodes = await must('kubectl', 'get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].spec.nodeName}')
  t.is(new Set(nodes.trim().split(' ')).size, 1)
  t.is((await must('kubectl', 'get', 'nodes', '-o', 'name')).trim().split('\n').length, 1)
  t.regex(await readFile(kubeconfig, 'utf8'), new RegExp(server))
})
