import test from 'ava'
import type { PersistentVolume, PersistentVolumeClaim } from '../src/objects/cluster.types.ts'
import { chooseVolume } from '../src/volumes/choose-volume.ts'

const claim = (spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { namespace: 'n', name: 'c', uid: 'u' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
})
const volume = (name: string, spec: Partial<PersistentVolume['spec']> = {}, phase = 'Available'): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, labels: { disk: name } },
  spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' }, ...spec },
  status: { phase },
})
const chosen = (of: PersistentVolumeClaim, ...volumes: readonly PersistentVolume[]): string | undefined =>
  chooseVolume(of, volumes)?.metadata.name

test('the smallest volume that is large enough is taken', (t) => {
  const [small, fitting, large] = ['500Mi', '1Gi', '9Gi'].map((storage) => volume(storage, { capacity: { storage } }))
  t.is(chosen(claim(), large!, fitting!, small!), '1Gi')
  t.is(chosen(claim(), small!), undefined)
})

test('class, access, mode, selector and phase have to fit', (t) => {
  t.is(chosen(claim(), volume('a', { storageClassName: 'fast' })), undefined)
  t.is(chosen(claim({ storageClassName: 'fast' }), volume('a', { storageClassName: 'fast' })), 'a')
  t.is(chosen(claim({ accessModes: ['ReadWriteMany'] }), volume('a')), undefined)
  t.is(chosen(claim({ volumeMode: 'Block' }), volume('a')), undefined)
  t.is(chosen(claim({ selector: { matchLabels: { disk: 'b' } } }), volume('a'), volume('b')), 'b')
  t.is(chosen(claim(), volume('a', {}, 'Released')), undefined)
})

test('a volume made for a claim, or named by it, is its own and nobody else’s', (t) => {
  const made = volume('made', { claimRef: { namespace: 'n', name: 'c', uid: 'u' }, storageClassName: 'x' }, '')
  t.is(chosen(claim(), volume('free'), made), 'made')
  const ofOther = volume('other', { claimRef: { namespace: 'n', name: 'c', uid: 'before' } })
  t.is(chosen(claim(), ofOther), undefined)
  t.is(chosen(claim({ volumeName: 'wanted' }), volume('free'), volume('wanted', { storageClassName: 'x' })), 'wanted')
  t.is(chosen(claim({ volumeName: 'wanted' }), volume('free')), undefined)
})
