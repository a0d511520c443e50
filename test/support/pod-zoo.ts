// Pods that each show one thing a kubelet does.
export const NAMESPACE = 'zoo'

interface Zoo {
  readonly [field: string]: unknown
}

const sh = (script: string): readonly string[] => ['sh', '-c', script]
const container = (name: string, more: Zoo): Zoo => ({ name, image: 'busybox', ...more })
const main = (script: string, more: Zoo = {}): Zoo => container('main', { command: sh(script), ...more })
const pod = (name: string, spec: Zoo, labels: Zoo = {}): Zoo => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: NAMESPACE, labels },
  spec: { terminationGracePeriodSeconds: 1, ...spec },
})
const on = (node: string): Zoo => ({ nodeSelector: { 'kubernetes.io/hostname': node } })
const list = (items: readonly Zoo[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
const exec = (...command: readonly string[]): Zoo => ({ exec: { command } })
const data = { name: 'data', persistentVolumeClaim: { claimName: 'data' } }
const dataMount = [{ name: 'data', mountPath: '/data' }]
const work = { name: 'work', emptyDir: {} }
const workMount = [{ name: 'work', mountPath: '/work' }]

const claim = (name: string, spec: Zoo): Zoo => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: NAMESPACE },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
})

export const CLAIMS: string = list([
  claim('data', {}),
  claim('fancy', { storageClassName: 'fancy' }),
  claim('static', { storageClassName: '' }),
  {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'manual' },
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '5Gi' }, hostPath: { path: '/mnt/manual' } },
  },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm', namespace: NAMESPACE }, data: { a: 'one', b: 'two' } },
])

export const PODS: string = list([
  pod('crash', { containers: [main('echo first run; echo why > /dev/termination-log; exit 3')] }),
  pod('tail', {
    restartPolicy: 'Never',
    containers: [
      main('echo first; echo last words >&2; exit 9', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
    ],
  }),
  pod('deadline', { activeDeadlineSeconds: 3, containers: [main('trap "" TERM; sleep infinity')] }),
  pod('hooks', {
    terminationGracePeriodSeconds: 10,
    containers: [
      main('echo begin; trap "echo term; exit 0" TERM; sleep infinity & wait', {
        lifecycle: {
          postStart: exec(...sh('echo begun > /tmp/begun')),
          preStop: exec(...sh('echo stopping > /proc/1/fd/1')),
        },
      }),
    ],
  }),
  pod('bad-hook', { containers: [main('sleep infinity', { lifecycle: { postStart: exec('false') } })] }),
  pod('stubborn', { terminationGracePeriodSeconds: 2, containers: [main('trap "" TERM; while :; do sleep 1; done')] }),
  pod('patient', { terminationGracePeriodSeconds: 600, containers: [main('trap "" TERM; while :; do sleep 1; done')] }),
  pod('shared', {
    shareProcessNamespace: true,
    containers: [container('one', { command: ['sleep', '12345'] }), container('two', { command: ['sleep', '54321'] })],
  }),
  pod('group', { restartPolicy: 'Never', containers: [main('kill -9 0; kill -TERM 0; exit 1')] }),
  pod('probes', {
    containers: [
      container('refused', {
        command: ['sleep', 'infinity'],
        readinessProbe: { httpGet: { port: 81 }, periodSeconds: 1 },
      }),
      container('grpc', { image: 'ambit/grpc-echo', readinessProbe: { grpc: { port: 50051 }, periodSeconds: 1 } }),
      container('down', {
        command: ['sleep', 'infinity'],
        readinessProbe: { grpc: { port: 50051, service: 'down' }, periodSeconds: 1 },
      }),
      container('tcp', {
        image: 'ambit/peer',
        startupProbe: { ...exec('true'), periodSeconds: 1 },
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      }),
    ],
  }),
  pod(
    'volumes',
    {
      hostname: 'named',
      subdomain: 'sub',
      hostAliases: [{ ip: '10.9.8.7', hostnames: ['alias.example'] }],
      dnsConfig: { searches: ['more.example'], options: [{ name: 'ndots', value: '2' }] },
      initContainers: [
        container('fill', { command: sh('mkdir /work/in; echo x > /work/in/f'), volumeMounts: workMount }),
      ],
      containers: [
        main('sleep infinity', {
          volumeMounts: [
            { name: 'chosen', mountPath: '/usr/share/nginx/html/deep' },
            { name: 'chosen', mountPath: '/etc/one', subPath: 'a' },
            { name: 'work', mountPath: '/data/sub', subPath: 'in' },
            { name: 'small', mountPath: '/small' },
            { name: 'all', mountPath: '/small/inside' },
            { name: 'down', mountPath: '/down' },
          ],
        }),
      ],
      volumes: [
        {
          name: 'chosen',
          configMap: {
            name: 'cm',
            defaultMode: 0o440,
            items: [
              { key: 'a', path: 'a' },
              { key: 'b', path: 'x/y', mode: 0o777 },
            ],
          },
        },
        { name: 'all', configMap: { name: 'cm' } },
        work,
        { name: 'small', emptyDir: { sizeLimit: '1Mi', medium: 'Memory' } },
        { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      ],
    },
    { colour: 'red' },
  ),
  pod('exotic', {
    containers: [main('sleep infinity', { volumeMounts: [{ name: 'odd', mountPath: '/odd' }] })],
    volumes: [{ name: 'odd', csi: { driver: 'example.com' } }],
  }),
  pod('escape', {
    initContainers: [container('link', { command: sh('ln -s / /work/out'), volumeMounts: workMount })],
    containers: [main('sleep infinity', { volumeMounts: [{ name: 'work', mountPath: '/data', subPath: 'out/etc' }] })],
    volumes: [work],
  }),
  pod('writer', {
    ...on('ambit-1'),
    restartPolicy: 'Never',
    containers: [main('echo kept > /data/f', { volumeMounts: dataMount })],
    volumes: [data],
  }),
  pod('reader', {
    ...on('ambit-2'),
    containers: [
      main('sleep infinity', {
        volumeMounts: dataMount,
        readinessProbe: { ...exec('test', '-s', '/data/f'), periodSeconds: 1 },
      }),
    ],
    volumes: [data],
  }),
])
