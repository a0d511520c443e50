import test from 'ava'
import fc from 'fast-check'
import { formatBaggage, formatTraceparent, newTraceContext, parseBaggage, parseTraceparent } from '../src/index.ts'

test('baggage has its fixed order and leaves empty values out', (t) => {
  t.is(
    formatBaggage({
      cluster: 'Kubernetes',
      namespace: 'ns',
      workload: { type: 'deployment', name: 'w' },
      service: 's',
      revision: '',
      zone: 'z',
    }),
    'k8s.cluster.name=Kubernetes,k8s.namespace.name=ns,k8s.deployment.name=w,service.name=s,cloud.availability_zone=z',
  )
})

test('several headers are one, unknown keys are ignored', (t) => {
  const baggage = parseBaggage(['k8s.namespace.name=a,evil=b', 'k8s.pod.name=p,service.name='])
  t.is(baggage.namespace, 'a')
  t.deepEqual(baggage.workload, { type: 'pod', name: 'p' })
  t.is(baggage.service, undefined)
})

test('what is printed is read back', (t) => {
  const text = fc.stringMatching(/^[a-z0-9.-]{1,20}$/)
  fc.assert(
    fc.property(text, text, text, (namespace, name, zone) => {
      const read = parseBaggage(formatBaggage({ namespace, workload: { type: 'job', name }, zone }))
      return read.namespace === namespace && read.workload?.name === name && read.zone === zone
    }),
  )
  t.pass()
})

test('no value can end the header or add a pair', (t) => {
  fc.assert(
    fc.property(fc.string(), (namespace) => {
      const header = formatBaggage({ namespace })
      return !/[\r\n,]/.test(header)
    }),
  )
  t.pass()
})

test('a traceparent is read only in its exact form', (t) => {
  const context = newTraceContext()
  t.deepEqual(parseTraceparent(formatTraceparent(context)), context)
  t.is(parseTraceparent(`${formatTraceparent(context)}0`), undefined)
  t.is(parseTraceparent('garbage'), undefined)
  t.is(parseTraceparent(undefined), undefined)
})
