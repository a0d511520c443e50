// What runs pods, driven by the real kubectl on real nodes: rollouts and their histories, members with names, jobs, budgets.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const LIMIT_MS = 20_000
const NGINX = 'nginx:1.27'

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'workloads', nodes: 2, mesh: false })
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

const must = (line: string): Promise<string> => cluster.must(...line.split(' '))
const field = (what: string, path: string): Promise<string> =>
  cluster.must('get', ...what.split(' '), '-o', `jsonpath={${path}}`)
const done = (what: string): Promise<string> => must(`rollout status ${what} --timeout=30s`)

test.serial('a Deployment: history with causes, undo, undo to a revision, restart, pause and resume', async (t) => {
  await must(`create deployment web --image=${NGINX} --replicas=2`)
  await must('annotate deploy/web kubernetes.io/change-cause=first')
  await done('deploy/web')
  await must('set image deploy/web nginx=nginx:1.28')
  await must('annotate deploy/web kubernetes.io/change-cause=second --overwrite')
  t.regex(await done('deploy/web'), /successfully rolled out/)
  t.regex(await must('rollout history deploy/web'), /1 +first\n2 +second\n/)
  t.is(await must('rollout undo deploy/web'), 'deployment.apps/web rolled back\n')
  await done('deploy/web')
  t.regex(await must('rollout history deploy/web'), /2 +second\n3 +first\n/)
  t.regex(await must('rollout history deploy/web --revision=2'), /Image:\s+nginx:1\.28/)
  await must('rollout undo deploy/web --to-revision=2')
  await done('deploy/web')
  t.is(await field('deploy web', '.spec.template.spec.containers[0].image'), 'nginx:1.28')

  await must('rollout pause deploy/web')
  await must(`set image deploy/web nginx=${NGINX}`)
  await must('scale deploy/web --replicas=3')
  await must('wait deploy/web --for=jsonpath={.status.availableReplicas}=3 --timeout=20s')
  t.is(await field('deploy web', '.status.updatedReplicas'), '')
  t.is(await field('deploy web', '.status.conditions[?(@.type=="Progressing")].reason'), 'DeploymentPaused')
  const refused = await cluster.kubectl('rollout', 'undo', 'deploy/web')
  t.regex(refused.stderr, /paused/)
  await must('rollout resume deploy/web')
  await done('deploy/web')
  const names = (): Promise<string> => field('pods -l app=web', '.items[*].metadata.name')
  const before = await names()
  await must('rollout restart deploy/web')
  await done('deploy/web')
  // A rollout is done while its old pods still end; one that was told to before it listened lives out its grace.
  const others = (after: string): boolean => !before.split(' ').some((name) => after.includes(name))
  await eventually(names, others, 2 * LIMIT_MS, 'other pods only')
})

const STATEFUL = `
apiVersion: v1
kind: Service
metadata: { name: db-svc }
spec: { clusterIP: None, selector: { app: db }, ports: [{ name: http, port: 80 }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  serviceName: db-svc
  replicas: 2
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: c
          image: curlimages/curl
          command: [sleep, infinity]
          volumeMounts: [{ name: data, mountPath: /data }]
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
`

test.serial('a StatefulSet: members keep their names, addresses by name and what they wrote', async (t) => {
  await cluster.apply(STATEFUL)
  await done('sts/db')
  t.is(await must('exec db-1 -- hostname'), 'db-1\n')
  const address = await field('pod db-1', '.status.podIP')
  const resolved = await cluster.must('exec', 'db-0', '--', 'getent', 'hosts', 'db-1.db-svc')
  t.true(resolved.startsWith(`${address} `), resolved)
  await cluster.must('exec', 'db-1', '--', 'sh', '-c', 'echo kept > /data/word')
  const uid = await field('pod db-1', '.metadata.uid')
  await must('delete pod db-1')
  await eventually(
    () => field('pod db-1', '.metadata.uid').catch(() => uid),
    (now) => now !== uid,
    LIMIT_MS,
    'another db-1',
  )
  await must('wait pod/db-1 --for=condition=Ready --timeout=20s')
  t.is(await must('exec db-1 -- cat /data/word'), 'kept\n')
  t.regex(await must('get pvc'), /data-db-0 +Bound[^]*data-db-1 +Bound/)

  await must('set env sts/db WORD=new')
  await done('sts/db')
  t.regex(await must('rollout history sts/db'), /1 +<none>\n2 +<none>\n/)
  await must('rollout undo sts/db')
  await eventually(
    () => field('sts db', '.status.currentRevision'),
    (name) => name !== '',
    LIMIT_MS,
    'a revision',
  )
  await done('sts/db')
  t.is(await field('pod db-0', '.spec.containers[0].env[*].name'), '')
})

test.serial('a DaemonSet: one on each node, history and undo', async (t) => {
  await cluster.apply(`
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent }
spec:
  selector: { matchLabels: { app: agent } }
  updateStrategy: { type: RollingUpdate, rollingUpdate: { maxUnavailable: 2 } }
  template:
    metadata: { labels: { app: agent } }
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: c, image: ${NGINX} }] }
`)
  await done('ds/agent')
  t.is(
    await field('pods -l app=agent', '.items[*].spec.nodeName').then((names) => names.split(' ').sort().join()),
    'ambit-1,ambit-2',
  )
  await must('set image ds/agent c=nginx:1.28')
  await done('ds/agent')
  await must('rollout undo ds/agent')
  await done('ds/agent')
  t.is(await field('ds agent', '.spec.template.spec.containers[0].image'), NGINX)
  t.regex(await must('rollout history ds/agent'), /2 +<none>\n3 +<none>\n/)
})

test.serial('Jobs: indexed, failing, from a CronJob, and one whose time is over', async (t) => {
  await cluster.apply(`
apiVersion: batch/v1
kind: Job
metadata: { name: count }
spec:
  completions: 3
  parallelism: 3
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: c, image: curlimages/curl, command: [sh, -c, 'echo $JOB_COMPLETION_INDEX of $(hostname)'] }]
---
apiVersion: batch/v1
kind: Job
metadata: { name: broken }
spec:
  backoffLimit: 0
  template:
    spec: { restartPolicy: Never, containers: [{ name: c, image: curlimages/curl, command: [sh, -c, exit 3] }] }
---
apiVersion: batch/v1
kind: Job
metadata: { name: late }
spec:
  activeDeadlineSeconds: 1
  template:
    spec: { restartPolicy: Never, terminationGracePeriodSeconds: 0, containers: [{ name: c, image: curlimages/curl, command: [sleep, infinity] }] }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: yearly }
spec:
  schedule: '@yearly'
  timeZone: Europe/Berlin
  jobTemplate:
    spec: { template: { spec: { restartPolicy: OnFailure, containers: [{ name: c, image: curlimages/curl, command: [echo, now] }] } } }
`)
  await must('wait job/count --for=condition=complete --timeout=20s')
  const lines = await must('logs -l job-name=count --tail=5')
  t.deepEqual(lines.trim().split('\n').sort(), ['0 of count-0', '1 of count-1', '2 of count-2'])
  await must('wait job/broken --for=condition=failed --timeout=20s')
  t.is(await field('job broken', '.status.conditions[?(@.type=="Failed")].reason'), 'BackoffLimitExceeded')
  await must('wait job/late --for=condition=failed --timeout=20s')
  t.is(await field('job late', '.status.conditions[?(@.type=="Failed")].reason'), 'DeadlineExceeded')
  await must('create job once --from=cronjob/yearly')
  await must('wait job/once --for=condition=complete --timeout=20s')
  t.is(await must('logs job/once'), 'now\n')
  t.regex(await must('get cronjob yearly'), /@yearly +Europe\/Berlin +False +0 +<none>/)
})

test.serial('a budget holds up a drain, and lets it go when there is room', async (t) => {
  await must('create pdb web --selector=app=web --min-available=3')
  await must('wait pdb/web --for=jsonpath={.status.currentHealthy}=3 --timeout=20s')
  const node = await field('pods -l app=web', '.items[0].spec.nodeName')
  const drain = (): ReturnType<Cluster['kubectl']> =>
    cluster.kubectl('drain', node, '--ignore-daemonsets', '--force', '--delete-emptydir-data', '--timeout=3s')
  const held = await drain()
  t.not(held.code, 0)
  t.regex(held.stderr, /Cannot evict pod as it would violate the pod's disruption budget\./)
  t.regex(await must('get nodes'), new RegExp(`${node} +Ready,SchedulingDisabled`))
  await must('scale deploy/web --replicas=6')
  await must('wait pdb/web --for=jsonpath={.status.disruptionsAllowed}=3 --timeout=20s')
  const result = await drain()
  t.is(result.code, 0, result.stderr)
  const left = await field(`pods --field-selector=spec.nodeName=${node}`, '.items[*].metadata.labels.app')
  t.is(left, 'agent')
  t.is(await must(`uncordon ${node}`), `node/${node} uncordoned\n`)
})

test.serial('the scheduler says why a pod has no place, and gives it one when there is', async (t) => {
  await must('taint nodes --all dedicated=others:NoSchedule')
  await must(`run lonely --image=${NGINX}`)
  const why = await eventually(
    () => field('pod lonely', '.status.conditions[?(@.type=="PodScheduled")].message'),
    (message) => message !== '',
    LIMIT_MS,
    'a reason',
  )
  t.is(
    why,
    '0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: others}. ' +
      'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
  )
  t.regex(await must('describe pod lonely'), /Warning +FailedScheduling .* default-scheduler +0\/2 nodes are available/)
  await must('taint nodes ambit-2 dedicated-')
  await must('wait pod/lonely --for=condition=Ready --timeout=20s')
  t.is(await field('pod lonely', '.spec.nodeName'), 'ambit-2')
  await must('taint nodes ambit-1 dedicated-')
  await must('taint nodes ambit-2 out=now:NoExecute')
  await must('wait pod/lonely --for=delete --timeout=20s')
  await must('taint nodes ambit-2 out-')
})

test.serial('an autoscaler is kept and says that it has no metrics; a quota says what is used', async (t) => {
  await must('autoscale deploy/web --min=1 --max=9')
  await must('wait hpa/web --for=condition=ScalingActive=false --timeout=20s')
  t.regex(
    await must('describe hpa web'),
    /ScalingActive +False +FailedGetResourceMetric .*the sandbox serves no metrics/,
  )
  await must('create quota most --hard=pods=50,count/deployments.apps=5')
  await must('wait quota/most --for=jsonpath={.status.used.count/deployments\\.apps}=1 --timeout=20s')
  t.regex(await must('describe quota most'), /count\/deployments\.apps +1 +5/)
})
