import { basename } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startApi } from './harness.ts'
import { installedKubectls } from './installed-kubectl.ts'

interface Step {
  readonly args: string
  readonly says: RegExp
  readonly input?: string
  readonly editor?: string
  readonly fails?: true
}

const STATEFUL_SET = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: c, image: x, volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - {metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
`

const VOLUMES = `apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /tmp}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: example.com/none
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec: {limits: [{type: Container, max: {memory: 1Gi}}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: own}
spec: {controller: example.com/ingress}
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside}
subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]
`

const SCALED = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: farms.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Farm, plural: farms}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {cows: {type: integer}}}, status: {type: object, properties: {cows: {type: integer}}}}}}
    subresources: {status: {}, scale: {specReplicasPath: .spec.cows, statusReplicasPath: .status.cows}}
`

const CONFIG = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: other}
`

const CONTROLLER = `apiVersion: v1
kind: ReplicationController
metadata: {name: rc}
spec: {replicas: 1, template: {metadata: {labels: {app: rc}}, spec: {containers: [{name: c, image: x}]}}}
`

const RECONCILED = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reconciled}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
`

/** What is typed, in order, and a part of what comes back. */
const STEPS: readonly Step[] = [
  { args: 'create job hello --image=x -- echo hi', says: /job.batch\/hello created/ },
  { args: 'create cronjob tick --image=x --schedule=*/5+*+*+*+* -- date', says: /cronjob.batch\/tick created/ },
  { args: 'create job once --from=cronjob/tick', says: /job.batch\/once created/ },
  {
    args: 'create cronjob bad --image=x --schedule=61+*+*+*+* -- date',
    says: /spec.schedule: Invalid value/,
    fails: true,
  },
  { args: 'create poddisruptionbudget budget --selector=app=x --min-available=1', says: /budget created/ },
  { args: 'create quota q --hard=pods=20', says: /resourcequota\/q created/ },
  { args: 'create ingress web --rule=example.com/*=web:80,tls=cert', says: /web created/ },
  { args: 'create role reader --verb=get --resource=pods', says: /reader created/ },
  { args: 'create rolebinding reads --role=reader --serviceaccount=default:default', says: /reads created/ },
  { args: 'create clusterrole sees --verb=get,list --resource=nodes', says: /sees created/ },
  { args: 'create clusterrolebinding sees --clusterrole=sees --user=bob', says: /sees created/ },
  { args: 'create priorityclass high --value=1000', says: /high created/ },
  { args: 'create configmap settings --from-literal=a=b', says: /settings created/ },
  { args: 'create secret generic s --from-literal=a=b', says: /secret\/s created/ },
  { args: 'create sa runner', says: /runner created/ },
  { args: 'create token runner --duration=10m', says: /^ey[\w-]+\.[\w-]+\.[\w-]+/ },
  { args: 'create service clusterip c --tcp=80:8080', says: /service\/c created/ },
  { args: 'create service nodeport n --tcp=80:8080', says: /service\/n created/ },
  { args: 'create service loadbalancer l --tcp=80:8080', says: /service\/l created/ },
  { args: 'create service externalname e --external-name=example.com', says: /service\/e created/ },
  { args: 'create deployment web --image=x --replicas=0 --port=80', says: /deployment.apps\/web created/ },
  { args: 'get deployment web -o jsonpath={.spec.replicas}', says: /^0$/ },
  { args: 'autoscale deployment web --min=1 --max=3 --cpu-percent=50', says: /web autoscaled/ },
  { args: 'apply -f -', input: STATEFUL_SET, says: /statefulset.apps\/db created/ },
  { args: 'apply -f -', input: STATEFUL_SET, says: /statefulset.apps\/db/ },
  { args: 'get sts db -o jsonpath={.metadata.generation}', says: /^1$/ },
  {
    args: 'apply -f -',
    input: STATEFUL_SET.replaceAll('name: data', 'name: other'),
    says: /updates to statefulset spec/,
    fails: true,
  },
  { args: 'scale sts db --replicas=3', says: /db scaled/ },
  { args: 'apply -f -', input: VOLUMES, says: /persistentvolumeclaim\/claim created[^]*endpoints\/outside created/ },
  {
    args: 'get all',
    says: /service\/kubernetes[^]*deployment.apps\/web[^]*statefulset.apps\/db[^]*horizontalpodautoscaler[^]*cronjob.batch\/tick[^]*job.batch\/hello/,
  },
  { args: 'get job hello', says: /NAME +STATUS +COMPLETIONS +DURATION +AGE\nhello +Running +0\/1/ },
  { args: 'get cj', says: /tick +\*\/5 \* \* \* \* +<none> +False +0 +<none>/ },
  { args: 'get hpa', says: /web +Deployment\/web +cpu: <unknown>\/50% +1 +3 +0/ },
  {
    args: 'get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.apiVersion}:{.spec.targetCPUUtilizationPercentage}',
    says: /^autoscaling\/v1:50$/,
  },
  { args: 'get ing', says: /web +<none> +example.com +80, 443/ },
  {
    args: 'get pv,pvc,sc',
    says: /disk +1Gi +RWO +Retain +Pending[^]*claim +Pending[^]*fast \(default\) +example.com\/none +Delete +Immediate +false/,
  },
  { args: 'get ep outside', says: /192.0.2.1:80/ },
  { args: 'get quota q', says: /pods: 0\/20/ },
  { args: 'describe ingress web', says: /example.com[^]*web:80/ },
  { args: 'describe statefulset db', says: /Volume Claims:[^]*Name: +data/ },
  { args: 'describe hpa web', says: /resource cpu on pods/ },
  { args: 'explain statefulset.spec.updateStrategy.rollingUpdate', says: /partition\s+<integer>/ },
  { args: 'explain job.spec.backoffLimit', says: /KIND: +Job/ },
  {
    args: 'api-resources --api-group=batch --no-headers',
    says: /cronjobs +cj +batch\/v1 +true +CronJob\njobs +batch\/v1 +true +Job/,
  },
  { args: 'get apiservices v1.apps', says: /v1.apps +Local +True/ },
  { args: 'auth can-i create deployments', says: /^yes/ },
  { args: 'auth can-i get pods --as=system:serviceaccount:default:default', says: /^yes/ },
  { args: 'auth can-i delete pods --as=system:serviceaccount:default:default', says: /^no/, fails: true },
  { args: 'auth can-i --list --as=system:serviceaccount:default:default', says: /pods +\[\] +\[\] +\[get\]/ },
  { args: 'get clusterrole admin edit view', says: /admin[^]*edit[^]*view/ },
  { args: 'top pods', says: /Metrics API not available/, fails: true },
  { args: 'get componentstatuses', says: /doesn't have a resource type "componentstatuses"/, fails: true },
  { args: 'get --raw /readyz?verbose', says: /readyz check passed/ },
  { args: 'cluster-info', says: /Kubernetes control plane.* is running at/ },
  { args: 'get configmaps --chunk-size=1', says: /kube-root-ca.crt[^]*settings/ },
  { args: 'get configmaps --field-selector=metadata.name=settings -o name', says: /^configmap\/settings\n$/ },
  { args: 'patch configmap settings --type=merge -p {"data":{"c":"d"}}', says: /patched/ },
  {
    args: 'patch configmap settings --type=json -p [{"op":"test","path":"/data/c","value":"x"}]',
    says: /test failed|failed/,
    fails: true,
  },
  { args: 'apply -f -', input: SCALED, says: /farms.example.com created/ },
  { args: 'wait crd/farms.example.com --for=condition=Established --timeout=10s', says: /condition met/ },
  {
    args: 'apply -f -',
    input: 'apiVersion: example.com/v1\nkind: Farm\nmetadata: {name: one}\nspec: {cows: 1}',
    says: /one created/,
  },
  { args: 'scale farm one --replicas=5', says: /one scaled/ },
  { args: 'get farm one -o jsonpath={.spec.cows}', says: /^5$/ },
  { args: 'edit configmap settings', editor: 'sed -i s/a:.b$/&edited/', says: /configmap\/settings edited/ },
  { args: 'get configmap settings -o jsonpath={.data.a}', says: /^bedited$/ },
  { args: 'label configmap settings colour=green', says: /settings labeled/ },
  { args: 'annotate configmap settings why=so', says: /settings annotate/ },
  { args: 'diff -f -', input: CONFIG, says: /^[+-] +a:/m, fails: true },
  { args: 'apply --server-side -f -', input: CONFIG, says: /conflict with "kubectl-edit"/, fails: true },
  { args: 'apply --server-side --force-conflicts -f -', input: CONFIG, says: /serverside-applied/ },
  { args: 'replace -f -', input: CONFIG, says: /settings replaced/ },
  {
    args: 'create --dry-run=server -f -',
    input: CONFIG.replace('settings', 'fresh'),
    says: /fresh created \(server dry run\)/,
  },
  { args: 'get configmap fresh', says: /not found/, fails: true },
  { args: 'set image deployment/web x=y:2', says: /image updated/ },
  { args: 'set env deployment/web A=b', says: /env updated/ },
  { args: 'rollout restart deployment web', says: /restarted/ },
  { args: 'run one --image=x', says: /pod\/one created/ },
  { args: 'expose deployment web --port=80', says: /service\/web exposed/ },
  { args: 'auth reconcile -f -', input: RECONCILED, says: /reconciled/ },
  { args: 'apply -f -', input: CONTROLLER, says: /replicationcontroller\/rc created/ },
  { args: 'scale rc rc --replicas=2', says: /replicationcontroller\/rc scaled/ },
  { args: 'get rc', says: /NAME +DESIRED +CURRENT +READY +AGE\nrc +2 +0 +0/ },
  { args: 'describe rc rc', says: /Selector: +app=rc/ },
  { args: 'expose rc rc --port=80', says: /service\/rc exposed/ },
  { args: 'cluster-info dump', says: /"kind": "ReplicationControllerList"/ },
  { args: 'label configmap settings colour=green', says: /settings labeled/ },
  { args: 'get cm --sort-by=.metadata.name -L colour --show-labels', says: /settings +1 .*green +colour=green/ },
  { args: 'get cm -o custom-columns=NAME:.metadata.name', says: /^NAME\n[^]*settings\n/ },
  { args: 'get cm settings -o go-template={{.metadata.name}}', says: /^settings$/ },
  { args: 'get cm nothing --ignore-not-found', says: /^$/ },
  { args: 'get deployment web --subresource=scale -o jsonpath={.kind}', says: /^Scale$/ },
  { args: 'get events', says: /No resources found/ },
  { args: 'events', says: /No events found/ },
  {
    args: 'create secret docker-registry r --docker-server=x --docker-username=u --docker-password=p',
    says: /r created/,
  },
  { args: 'set resources deployment/web --limits=cpu=200m', says: /resource requirements updated/ },
  { args: 'set selector service/web app=other', says: /selector updated/ },
  { args: 'set serviceaccount deployment/web runner', says: /serviceaccount updated/ },
  { args: 'set subject rolebinding reads --user=ann', says: /subjects updated/ },
  { args: 'scale deployment web --current-replicas=7 --replicas=1', says: /Expected replicas to be 7/, fails: true },
  { args: 'patch deployment web --subresource=scale --type=merge -p {"spec":{"replicas":2}}', says: /web patched/ },
  { args: 'rollout pause deployment web', says: /paused/ },
  { args: 'rollout resume deployment web', says: /resumed/ },
  { args: 'label configmap settings --list', says: /colour=green/ },
  { args: 'annotate configmap settings a=b --resource-version=1', says: /please apply your changes/, fails: true },
  { args: 'apply -f -', input: CONFIG, says: /settings configured|settings unchanged/ },
  { args: 'apply view-last-applied configmap/settings', says: /a: other/ },
  { args: 'apply set-last-applied -f - --create-annotation', input: CONFIG, says: /settings configured/ },
  { args: 'apply edit-last-applied configmap/settings', editor: 'sed -i s/other/edited/', says: /settings edited/ },
  {
    args: 'apply -f - -l set=one --prune',
    input: CONFIG.replace('settings', 'kept, labels: {set: one}'),
    says: /kept created/,
  },
  {
    args: 'apply -f - -l set=one --prune',
    input: CONFIG.replace('settings', 'next, labels: {set: one}'),
    says: /configmap\/next created\nconfigmap\/kept pruned/,
  },
  { args: 'replace --force -f -', input: CONFIG, says: /"settings" deleted[^]*settings replaced/ },
  { args: 'wait --for=delete configmap/nothing --timeout=2s', says: /^$/ },
  { args: 'certificate deny x', says: /resource type "certificatesigningrequests"/, fails: true },
  { args: 'certificate approve x', says: /resource type "certificatesigningrequests"/, fails: true },
  { args: 'explain farm.spec', says: /cows\s+<integer>/ },
  { args: 'explain deployment --output=plaintext-openapiv2', says: /couldn't find resource for/, fails: true },
  { args: 'api-versions', says: /^admissionregistration.k8s.io\/v1\napi[^]*\nv1\n/ },
  { args: 'version', says: /Server Version: .*v1\.33/ },
  {
    args: 'get --raw /api/v1/namespaces/default/services/web/proxy/',
    says: /could not find the requested resource/,
    fails: true,
  },
  { args: 'get --raw /api/v1/nodes/n/proxy/stats', says: /could not find the requested resource/, fails: true },
  { args: 'delete job hello --cascade=background', says: /"hello" deleted/ },
  { args: 'delete cronjob tick --cascade=orphan', says: /"tick" deleted/ },
  { args: 'delete deployment web --cascade=foreground --wait=false', says: /"web" deleted/ },
]

for (const binary of installedKubectls())
  test(`${basename(binary)} makes, shows and explains every kind`, async (t: ExecutionContext) => {
    t.timeout(180_000)
    await using api = await startApi()
    for (const { args, says, input, editor, fails } of STEPS) {
      // A plus stands for a blank within one word.
      const words = args.split(' ').map((word) => (word.startsWith('--schedule') ? word.replaceAll('+', ' ') : word))
      const output = await api.kubectl(words, {
        binary,
        ...(input === undefined ? {} : { input }),
        ...(editor === undefined ? {} : { editor }),
      })
      t.is(output.code === 0, fails !== true, `${args}: exit ${output.code}\n${output.stderr}`)
      t.regex(output.stdout + output.stderr, says, args)
    }
  })
