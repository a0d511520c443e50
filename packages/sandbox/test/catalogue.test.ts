import { spawnSync } from 'node:child_process'
import test from 'ava'
import { commandLine, imageName, KNOWN_IMAGES, resolveImage } from '../src/images/catalogue.ts'

const options = { workspace: '/ws', node: '/ws/node', compileCache: false, unpacked: { programs: [], libraries: [] } }

const named = test.macro({
  exec(t, reference: string, name: string) {
    t.is(imageName(reference), name)
  },
  title: (_, reference: string) => `the name of ${reference}`,
})

test(named, 'busybox', 'busybox')
test(named, 'busybox:1.36', 'busybox')
test(named, 'docker.io/curlimages/curl:8.16.0', 'docker.io/curlimages/curl')
test(named, 'localhost:5000/a/b', 'localhost:5000/a/b')
test(named, 'localhost:5000/a/b:v1@sha256:00', 'localhost:5000/a/b')

test('registry, path and tag do not matter', (t) => {
  for (const reference of ['ambit/ztunnel', 'ghcr.io/x/ambit/ztunnel:1.2', 'ambit/ztunnel@sha256:aa']) {
    t.deepEqual(resolveImage(reference, options)?.entrypoint.at(-1), '/ws/packages/ztunnel/src/main.ts')
  }
})

test('components and programs find compiled code where there is a place for it, other images never do', (t) => {
  const kept = { ...options, compileCache: true }
  t.is(resolveImage('ambit/ztunnel', kept)?.env['NODE_COMPILE_CACHE'], '/var/cache/node')
  t.is(resolveImage('ambit/ztunnel', options)?.env['NODE_COMPILE_CACHE'], undefined)
  t.is(resolveImage('httpbin', kept)?.env['NODE_COMPILE_CACHE'], '/var/cache/node')
  t.is(resolveImage('busybox', kept)?.env['NODE_COMPILE_CACHE'], undefined)
})

test('an unknown image has no program, and names of Object are unknown too', (t) => {
  t.is(resolveImage('example.com/nobody/knows', options), undefined)
  t.is(resolveImage('constructor', options), undefined)
  t.true(KNOWN_IMAGES.includes('curlimages/curl'))
})

test('the curl image takes a command, arguments of curl, and a URL', (t) => {
  const image = resolveImage('curlimages/curl', options)
  if (image === undefined) return t.fail('it is unknown')
  const run = (...args: string[]): string => {
    const [program = '', ...rest] = commandLine(image, args.length === 0 ? {} : { args })
    return spawnSync(program, rest, { encoding: 'utf8' }).stdout
  }
  t.is(run('echo', 'a b'), 'a b\n')
  t.regex(run('--version'), /^curl /)
  t.regex(run('-s', import.meta.url), /arguments of curl/)
  t.regex(run(import.meta.url), /arguments of curl/)
})

test('command replaces entry point and arguments, args only arguments', (t) => {
  const image = {
    id: '',
    entrypoint: ['e'],
    args: ['a'],
    env: {},
    aliases: ['prog'],
    keepsCompiled: false,
    mounts: [],
    workingDir: undefined,
  }
  t.deepEqual(commandLine(image, {}), ['e', 'a'])
  t.deepEqual(commandLine(image, { args: ['x'] }), ['e', 'x'])
  t.deepEqual(commandLine(image, { command: ['c'] }), ['c'])
  t.deepEqual(commandLine(image, { command: ['/usr/bin/prog', 'x'] }), ['e', 'x'])
  t.deepEqual(commandLine(image, { command: ['c'], args: ['x'] }), ['c', 'x'])
})
