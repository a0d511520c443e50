import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { startTestMesh, type TestMesh } from './support/test-mesh.ts'

const NAMESPACE = `apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient } }
---
`
const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { serviceAccountName: web, containers: [{ name: web, image: none, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
`
const CLIENT = WEB.replaceAll('web', 'client')
const policy = (rules: string): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: only, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  action: ALLOW
  rules: ${rules}
---
`
const ONLY_OTHER = policy('[{ from: [{ source: { principals: [cluster.local/ns/shop/sa/other] } }] }]')

let mesh: TestMesh
let folder: string

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'explain-'))
  await writeFile(join(folder, 'mesh.yaml'), NAMESPACE + WEB + CLIENT + ONLY_OTHER)
  await writeFile(join(folder, 'policy.yaml'), ONLY_OTHER)
  await writeFile(join(folder, 'refused.yaml'), policy('[{ from: [{ source: { ipBlocks: [10.0.0.0/40] } }] }]'))
  await writeFile(join(folder, 'broken.yaml'), `${NAMESPACE}a: [1\n`)
  await writeFile(join(folder, 'token'), `x.${Buffer.from('{"iss":"me"}').toString('base64url')}.y`)
  await writeFile(join(folder, 'there.yaml'), NAMESPACE + WEB + CLIENT)
  mesh = await startTestMesh()
})

test.after.always(async () => {
  await mesh?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const file = (name: string): string => join(folder, name)
const ASKED = '--from shop/client --to shop/web'

test('files alone: no cluster is asked', async (t) => {
  const { code, out } = await mesh.ambit(`explain -f ${file('mesh.yaml')} ${ASKED} --kubeconfig /nowhere`)
  t.is(code, 77)
  t.regex(out.join('\n'), /^DENIED at the ztunnel of shop\/web: allow policies exist, but none allowed\n/)
  t.regex(out.join('\n'), /✗ from\[0\]\.source\.principals: cluster\.local\/ns\/shop\/sa\/client, wants /)
})

test('json', async (t) => {
  const { code, out } = await mesh.ambit(
    `explain -f ${file('mesh.yaml')} ${ASKED} -o json --method PUT --path /x?y=1 --header a=b=c`,
  )
  t.is(code, 77)
  t.like(JSON.parse(out.join('\n')), {
    format: 'ambit.explanation/v1',
    outcome: 'denied',
    question: { request: { method: 'PUT', path: '/x?y=1', headers: [['a', 'b=c']] } },
    nearest: { policy: 'shop/only', rule: 0 },
  })
})

test('claims come from a token, a file or the command line', async (t) => {
  const { out } = await mesh.ambit(`explain -f ${file('mesh.yaml')} ${ASKED} -o json --jwt ${file('token')}`)
  t.deepEqual((JSON.parse(out.join('\n')) as { question: { request: { claims: unknown } } }).question.request.claims, {
    iss: 'me',
  })
  t.regex(
    (await mesh.ambit(`explain -f ${file('mesh.yaml')} ${ASKED} --jwt {`)).err.join('\n'),
    /--jwt has no claims that can be read/,
  )
  t.regex(
    (await mesh.ambit(`explain -f ${file('mesh.yaml')} ${ASKED} --jwt /nowhere`)).err.join('\n'),
    /--jwt: cannot read \/nowhere/,
  )
})

test('what is wrong in a file has its place, and there is no answer', async (t) => {
  const refused = await mesh.ambit(`explain -f ${file('mesh.yaml')} -f ${file('refused.yaml')} ${ASKED}`)
  t.is(refused.code, 65)
  t.deepEqual(refused.out, [])
  t.regex(refused.err.join('\n'), /refused\.yaml:7:\d+: AuthorizationPolicy shop\/only: .*ipBlocks/)
  const broken = await mesh.ambit(`explain -f ${file('broken.yaml')} ${ASKED}`)
  t.is(broken.code, 65)
  t.regex(broken.err.join('\n'), /broken\.yaml:\d+:\d+: /)
})

test('the cluster, and files laid over it', async (t) => {
  await mesh.must('apply', '-f', file('there.yaml'))
  const laid = `explain -k -f ${file('policy.yaml')} -f ${file('there.yaml')} ${ASKED}`
  t.is((await mesh.ambit(laid)).code, 77)
  // Nothing runs in this cluster: a name without pods is not taken for something.
  const { code, err } = await mesh.ambit(`explain ${ASKED}`)
  t.is(code, 1)
  t.regex(err.join('\n'), /^Error: there is no pod or service account with pods shop\/client$/)
})

test('what does not go together, or is not enough', async (t) => {
  const usage = async (line: string): Promise<string> => {
    const { code, err } = await mesh.ambit(`explain ${line}`)
    t.is(code, 2, line)
    return err.join('\n')
  }
  t.regex(await usage('--from shop/client'), /it takes --from and --to, or --connection, or --last-denied/)
  t.regex(await usage('--last-denied --connection x'), /one of them/)
  t.regex(await usage('--last-denied --path /x'), /--path is the flow’s own/)
  t.regex(await usage(`-f ${file('mesh.yaml')} ${ASKED} --path x`), /--path begins with a slash/)
  t.regex(await usage(`-f ${file('mesh.yaml')} ${ASKED} --header x`), /--header is NAME=VALUE/)
})

test('no proxy remembers', async (t) => {
  const { code, err } = await mesh.ambit('explain --last-denied --from shop/client')
  t.is(code, 1)
  t.regex(
    err.join('\n'),
    /no denial of shop\/client is remembered by the proxies; not all could be asked: no ztunnel runs in namespace istio-system/,
  )
})
