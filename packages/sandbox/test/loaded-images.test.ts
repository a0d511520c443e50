import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { resolveImage } from '../src/images/catalogue.ts'
import { parseLoad, shellWords } from '../src/images/load-command.ts'
import { addToImageList, LoadedImages, readImageList } from '../src/images/loaded-images.ts'
import { failureOf } from '../src/images/pull.ts'

async function folder(t: ExecutionContext): Promise<string> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'ambit-images-')))
  t.teardown(() => rm(path, { recursive: true }))
  await mkdir(join(path, 'app/bin'), { recursive: true })
  for (const file of ['app/serve', 'app/bin/start', 'app/notes.txt']) await writeFile(join(path, file), '#!/bin/sh\n')
  for (const file of ['app/serve', 'app/bin/start']) await chmod(join(path, file), 0o755)
  return path
}

test('words are those of a shell', (t) => {
  t.deepEqual(shellWords(`a "b c" 'd "e' f\\ g "h\\"i" x"y"z ''`), ['a', 'b c', 'd "e', 'f g', 'h"i', 'xyz', ''])
})

test('a program below /usr is named, another is shown with its folder, ./files beside it too', async (t) => {
  const cwd = await folder(t)
  const load = (text: string): ReturnType<typeof parseLoad> => parseLoad(text, { cwd, workspace: '/ws' })
  t.deepEqual(load('my/x:v1=sh -c "exit 3"'), {
    name: 'my/x',
    image: { command: ['sh', '-c', 'exit 3'], mounts: [] },
  })
  const app = join(cwd, 'app')
  t.deepEqual(load('x=./app/serve --port 80').image, {
    command: [join(app, 'serve'), '--port', '80'],
    mounts: [{ source: app, target: app }],
  })
  t.deepEqual(load('x=node ./app/notes.txt').image.mounts, [{ source: app, target: app }])
  t.deepEqual(load('x=./app:bin/start -v').image, {
    command: ['/app/bin/start', '-v'],
    mounts: [{ source: app, target: '/app' }],
    workingDir: '/app',
  })
})

const refused = test.macro({
  async exec(t, text: string, message: RegExp) {
    const cwd = await folder(t)
    t.regex(t.throws(() => parseLoad(text, { cwd, workspace: '/ws' })).message, message)
  },
  title: (_, text: string) => `refused: ${text}`,
})
test(refused, 'no-command', /is no name of an image/)
test(refused, '=sh', /is no name of an image/)
test(refused, 'x=', /has no command/)
test(refused, 'X Y=sh', /is no name of an image/)
test(refused, 'x=no-such-program-here', /containers have no program no-such-program-here/)
test(refused, 'x=./app/notes.txt', /chmod \+x/)
test(refused, 'x=./app:bin/none', /there is no program/)
test(refused, 'x=/', /is no program/)

test('a list is followed by who has it open, and a loaded image goes before one that is built in', async (t) => {
  const file = join(await folder(t), 'images.json')
  using loaded = new LoadedImages(file)
  const options = {
    workspace: '/ws',
    node: '/n',
    compileCache: false,
    unpacked: { programs: [], libraries: [] },
    loaded,
  }
  t.is(resolveImage('team/web:1', options), undefined)
  const { changed } = loaded
  addToImageList(file, 'team/web', { command: ['node', 'x.js'], mounts: [{ source: '/s', target: '/s' }] })
  await changed
  const image = resolveImage('registry.example:5000/team/web:2', options)
  t.is(image?.entrypoint[0], '/n')
  t.is(image?.entrypoint.at(-1), 'x.js')
  t.deepEqual(image?.mounts, [{ source: '/s', target: '/s' }])
  t.is(resolveImage('other/web', options), undefined)
  addToImageList(file, 'nginx', { command: ['true'], mounts: [] })
  t.deepEqual(resolveImage('docker.io/library/nginx:1.27', options)?.entrypoint, ['true'])
  t.deepEqual(Object.keys(readImageList(file)), ['team/web', 'nginx'])
})

test('an image that is unknown says how to load it, in the words of its policy', (t) => {
  t.regex(
    failureOf('a/b:1', 'Always', true).event.message,
    /^Failed to pull image "a\/b:1": .*ambit sandbox load a\/b=COMMAND/,
  )
  t.like(failureOf('a/b:1', undefined, false), { reason: 'ImagePullBackOff', event: { reason: 'BackOff' } })
  t.is(failureOf('a/b', 'Never', true).reason, 'ErrImageNeverPull')
  t.is(failureOf('A b', undefined, true).reason, 'InvalidImageName')
})
