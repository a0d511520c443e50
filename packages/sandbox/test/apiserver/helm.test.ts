// Helm keeps releases in Secrets and changes objects with a client of its own. Each of its calls, as Helm 3 and 4 make them.
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { at } from '../../src/apiserver/json.ts'
import { startApi } from './harness.ts'

const SECRETS = '/api/v1/namespaces/default/secrets'
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'

function releaseSecret(version: number, status: string, resourceVersion?: string) {
  const release = gzipSync(JSON.stringify({ name: 'web', version, info: { status }, manifest: 'x'.repeat(20_000) }))
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `sh.helm.release.v1.web.v${version}`,
      namespace: 'default',
      labels: { name: 'web', owner: 'helm', status, version: String(version), modifiedAt: '1795270000' },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type: 'helm.sh/release.v1',
    // Base64 of base64: once by Helm, once as a Secret's data.
    data: { release: Buffer.from(release.toString('base64')).toString('base64') },
  }
}

const deployment = (image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace: 'default',
    labels: { 'app.kubernetes.io/managed-by': 'Helm' },
    annotations: { 'meta.helm.sh/release-name': 'web', 'meta.helm.sh/release-namespace': 'default' },
  },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } },
  },
})

test('what helm install, upgrade, list, rollback and uninstall ask for', async (t) => {
  await using api = await startApi()
  const { fetchJson } = api
  const patch = (path: string, media: string, body: unknown) =>
    fetchJson(path, { method: 'PATCH', body, headers: { 'content-type': media } })

  // Reachable, which version, which kinds.
  t.is(at((await fetchJson('/version?timeout=32s')).body, 'major'), '1')
  const groups = await fetchJson('/apis', {
    headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json' },
  })
  t.is(at(groups.body, 'kind'), 'APIGroupDiscoveryList')
  t.is((await fetchJson('/apis/apps/v1')).status, 200)
  t.is((await fetchJson('/openapi/v2?timeout=32s')).status, 200)

  // Is there a release of that name? No. Then one that is pending.
  const history = `${SECRETS}?labelSelector=${encodeURIComponent('name=web,owner=helm')}`
  t.deepEqual(at((await fetchJson(history)).body, 'items'), [])
  const pending = await fetchJson(`${SECRETS}?fieldManager=helm`, {
    method: 'POST',
    body: releaseSecret(1, 'pending-install'),
  })
  t.is(pending.status, 201)

  // With --dry-run=server nothing is made; then it is.
  t.is((await fetchJson(`${DEPLOYMENTS}/web`)).status, 404)
  const dry = await fetchJson(`${DEPLOYMENTS}?dryRun=All&fieldManager=helm`, {
    method: 'POST',
    body: deployment('a:1'),
  })
  t.is(dry.status, 201)
  t.is((await fetchJson(`${DEPLOYMENTS}/web`)).status, 404)
  const made = await fetchJson(`${DEPLOYMENTS}?fieldManager=helm&fieldValidation=Warn`, {
    method: 'POST',
    body: deployment('a:1'),
  })
  t.is(made.status, 201)
  const again = await fetchJson(DEPLOYMENTS, { method: 'POST', body: deployment('a:1') })
  t.like(again.body, { reason: 'AlreadyExists' })
  const deployed = await fetchJson(`${SECRETS}/sh.helm.release.v1.web.v1?fieldManager=helm`, {
    method: 'PUT',
    body: releaseSecret(1, 'deployed'),
  })
  t.is(at(deployed.body, 'metadata', 'labels', 'status'), 'deployed')

  // Helm 3 upgrades by a patch of three states, Helm 4 by server-side apply.
  const three = {
    spec: { template: { spec: { $setElementOrder: undefined, containers: [{ name: 'c', image: 'a:2' }] } } },
  }
  const upgraded = await patch(`${DEPLOYMENTS}/web?fieldManager=helm`, 'application/strategic-merge-patch+json', three)
  t.is(upgraded.status, 200)
  const [container] = at(upgraded.body, 'spec', 'template', 'spec', 'containers') as { image: string }[]
  t.is(container?.image, 'a:2')
  const applied = await patch(
    `${DEPLOYMENTS}/web?fieldManager=helm&force=true&fieldValidation=Strict`,
    'application/apply-patch+yaml',
    deployment('a:3'),
  )
  t.is(applied.status, 200)

  // Waiting for it, one object by its name.
  const byName = `${DEPLOYMENTS}?fieldSelector=${encodeURIComponent('metadata.name=web')}`
  t.is((at((await fetchJson(byName)).body, 'items') as unknown[]).length, 1)

  // The second revision is deployed and the first superseded; `helm list -A` and `helm history` find them by labels.
  await fetchJson(SECRETS, { method: 'POST', body: releaseSecret(2, 'deployed') })
  await fetchJson(`${SECRETS}/sh.helm.release.v1.web.v1`, { method: 'PUT', body: releaseSecret(1, 'superseded') })
  const listed = await fetchJson(`/api/v1/secrets?labelSelector=${encodeURIComponent('owner=helm,status=deployed')}`)
  const found = at(listed.body, 'items') as { metadata: { name: string }; data: { release: string } }[]
  t.deepEqual(
    found.map(({ metadata }) => metadata.name),
    ['sh.helm.release.v1.web.v2'],
  )
  t.is(found[0]?.data.release, releaseSecret(2, 'deployed').data.release)
  t.is((at((await fetchJson(history)).body, 'items') as unknown[]).length, 2)

  // A release too large for a Secret is refused with the words Helm shows.
  const large = releaseSecret(3, 'deployed')
  large.data.release = Buffer.alloc(1024 * 1024 + 1, 'a').toString('base64')
  const refused = await fetchJson(SECRETS, { method: 'POST', body: large })
  t.is(refused.status, 422)
  t.regex(JSON.stringify(refused.body), /data: Too long: may not be more than 1048576 bytes/)

  // Gone with what belongs to it.
  const options = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' }
  const removed = await fetchJson(`${DEPLOYMENTS}/web`, { method: 'DELETE', body: options })
  t.is(removed.status, 200)
  for (const version of [1, 2])
    t.is((await fetchJson(`${SECRETS}/sh.helm.release.v1.web.v${version}`, { method: 'DELETE' })).status, 200)
  t.deepEqual(at((await fetchJson(history)).body, 'items'), [])
})
