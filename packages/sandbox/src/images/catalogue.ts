import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { LoadedImages } from './loaded-images.ts'

/** What an image name stands for in the sandbox: a program of the machine or of this workspace. */
export interface ImageProgram {
  /** Normal form, shown as the image's id. */
  readonly id: string
  readonly entrypoint: readonly string[]
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Names under which manifests call the entry point: the program's file in the image it stands for. */
  readonly aliases: readonly string[]
  /** Starts with compiled code at hand: a component or program of this project. */
  readonly keepsCompiled: boolean
  /** What containers see of the machine beside its programs, read-only. */
  readonly mounts: readonly { readonly source: string; readonly target: string }[]
  readonly workingDir: string | undefined
}

export interface CatalogueOptions {
  readonly workspace: string
  readonly node: string
  /** Whether containers get a folder for compiled code. */
  readonly compileCache: boolean
  /** Folders of programs and libraries that set-up unpacked because it may not install; empty where it could. */
  readonly unpacked: { readonly programs: readonly string[]; readonly libraries: readonly string[] }
  /** Images that were added to those below. */
  readonly loaded?: Pick<LoadedImages, 'find' | 'changed'> | undefined
}

type Entry = (o: CatalogueOptions) => Pick<ImageProgram, 'entrypoint' | 'args'> & {
  readonly aliases?: readonly string[]
  readonly keepsCompiled?: boolean
}

/** Where a container of ours finds its compiled code. */
export const COMPILE_CACHE_FOLDER = '/var/cache/node'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning']
/**
 * What passes leaves garbage: with a small nursery for it, a large body costs a waypoint 45 MiB of memory and not 75, and an idle connection a ztunnel 2 KiB
 * and not 7.
 */
const PROXY_FLAGS = ['--max-semi-space-size=4']

const shell: Entry = () => ({ entrypoint: [], args: ['/bin/sh'] })
const bash: Entry = () => ({ entrypoint: [], args: ['bash'] })
/** As the image has it: what is no command is for curl, so that `-- sleep infinity` and `-- -s URL` both do what they say. */
const CURL_ENTRYPOINT = `case "\${1-}" in -*) set -- curl "$@";; *) command -v "\${1-}" >/dev/null || set -- curl "$@";; esac; exec "$@"`
const curl: Entry = () => ({ entrypoint: ['sh', '-c', CURL_ENTRYPOINT, 'curl'], args: ['curl'] })
const program =
  (file: string, ...args: string[]): Entry =>
  ({ compileCache, workspace, node }) => ({
    entrypoint: [node, ...NODE_FLAGS, join(workspace, 'packages/sandbox/src/programs', file)],
    args,
    keepsCompiled: compileCache,
  })
/** A program that people call by its name in a running container. */
const named =
  (name: string, entry: Entry): Entry =>
  (options) => ({ ...entry(options), aliases: [name] })
/** A binary of this project, with the flags its image gives Node. */
const component =
  (name: string, aliases: readonly string[], flags: readonly string[] = []): Entry =>
  ({ compileCache, workspace, node }) => ({
    entrypoint: [node, ...NODE_FLAGS, ...flags, join(workspace, 'packages', name, 'src/main.ts')],
    args: [],
    aliases,
    keepsCompiled: compileCache,
  })

/** Last part (or last two parts, tried first) of an image's name, without registry and tag, to its program. */
const CATALOGUE: Readonly<Record<string, Entry>> = {
  'ambit/controller': component('controller', ['pilot-discovery']),
  'ambit/cni': component('cni', ['install-cni']),
  'ambit/ztunnel': component('ztunnel', ['ztunnel'], PROXY_FLAGS),
  'ambit/waypoint': component('waypoint', ['waypoint'], PROXY_FLAGS),
  'curlimages/curl': curl,
  curl,
  busybox: shell,
  alpine: shell,
  debian: bash,
  ubuntu: bash,
  netshoot: bash,
  tcpdump: shell,
  pause: () => ({ entrypoint: ['sleep', 'infinity'], args: [] }),
  nginx: program('web-server.ts'),
  httpd: program('web-server.ts'),
  httpbin: program('httpbin.ts', '--port', '80'),
  'kong/httpbin': program('httpbin.ts', '--port', '80'),
  'kennethreitz/httpbin': program('httpbin.ts', '--port', '80'),
  'mccutchen/go-httpbin': program('httpbin.ts', '--port', '8080', '--style', 'go'),
  'e2e-test-images/agnhost': program('agnhost.ts'),
  agnhost: program('agnhost.ts'),
  'fortio/fortio': named('fortio', program('fortio.ts', 'server')),
  'hashicorp/http-echo': program('http-echo.ts'),
  'http-echo': program('http-echo.ts'),
  'istio/tcp-echo-server': program('tcp-echo.ts'),
  'tcp-echo-server': program('tcp-echo.ts'),
  'tcp-echo': program('tcp-echo.ts'),
  'examples-helloworld-v1': program('helloworld.ts', '--version', 'v1'),
  'examples-helloworld-v2': program('helloworld.ts', '--version', 'v2'),
  'examples-bookinfo-details-v1': program('bookinfo.ts', 'details'),
  'examples-bookinfo-ratings-v1': program('bookinfo.ts', 'ratings'),
  'examples-bookinfo-ratings-v-faulty': program('bookinfo.ts', 'ratings-v-faulty'),
  'examples-bookinfo-ratings-v-delayed': program('bookinfo.ts', 'ratings-v-delayed'),
  'examples-bookinfo-reviews-v1': program('bookinfo.ts', 'reviews-v1'),
  'examples-bookinfo-reviews-v2': program('bookinfo.ts', 'reviews-v2'),
  'examples-bookinfo-reviews-v3': program('bookinfo.ts', 'reviews-v3'),
  'examples-bookinfo-productpage-v1': program('bookinfo.ts', 'productpage'),
  'ambit/echo': program('echo.ts'),
  'ambit/grpc-echo': program('grpc-echo.ts'),
  'ambit/peer': program('peer.ts'),
  'ambit/wiretap': program('wiretap.ts'),
}

/** Names the catalogue knows, for the message about one it doesn't. */
export const KNOWN_IMAGES: readonly string[] = Object.keys(CATALOGUE).sort()

/** Name without tag and digest: `docker.io/curlimages/curl:8.16.0@sha256:…` → `docker.io/curlimages/curl`. */
export function imageName(reference: string): string {
  const withoutDigest = reference.split('@')[0] ?? ''
  const slash = withoutDigest.lastIndexOf('/')
  const colon = withoutDigest.indexOf(':', slash + 1)
  return colon < 0 ? withoutDigest : withoutDigest.slice(0, colon)
}

/** The program an image name stands for; registry, leading path and tag don't matter. Undefined when unknown. */
export function resolveImage(reference: string, options: CatalogueOptions): ImageProgram | undefined {
  const name = imageName(reference)
  const loaded = options.loaded?.find(name)
  if (loaded !== undefined) return loadedProgram(loaded, options)
  const parts = name.split('/')
  for (const key of [parts.slice(-2).join('/'), parts.at(-1) ?? '']) {
    if (!Object.hasOwn(CATALOGUE, key)) continue
    const entry = CATALOGUE[key]?.(options)
    if (entry === undefined) continue
    const { keepsCompiled = false } = entry
    const env = { ...imageEnvironment(options), ...(keepsCompiled ? { NODE_COMPILE_CACHE: COMPILE_CACHE_FOLDER } : {}) }
    const id = imageId(key, [...entry.entrypoint, ...entry.args])
    return { id, aliases: [], ...entry, keepsCompiled, env, mounts: [], workingDir: undefined }
  }
  return undefined
}

function loadedProgram(
  { image, name }: NonNullable<ReturnType<LoadedImages['find']>>,
  options: CatalogueOptions,
): ImageProgram {
  const [program = '', ...args] = image.command
  const entrypoint = program === 'node' ? [options.node, ...NODE_FLAGS] : [program]
  return {
    id: imageId(name, image.command),
    entrypoint: [...entrypoint, ...args],
    args: [],
    env: imageEnvironment(options),
    aliases: [],
    keepsCompiled: false,
    mounts: image.mounts,
    workingDir: image.workingDir,
  }
}

/** Changes when the name comes to mean another program. */
function imageId(name: string, command: readonly string[]): string {
  return `ambit-sandbox://${name}@sha256:${hash('sha256', JSON.stringify(command))}`
}

/** The command line of a container: Kubernetes' command replaces the entry point and its arguments, args only those. */
export function commandLine(
  image: ImageProgram,
  container: { readonly command?: readonly string[] | undefined; readonly args?: readonly string[] | undefined },
): readonly string[] {
  const command = container.command ?? []
  const args = container.args ?? []
  const [name = ''] = command
  if (image.aliases.includes(name.slice(name.lastIndexOf('/') + 1)))
    return [...image.entrypoint, ...command.slice(1), ...args]
  if (command.length > 0) return [...command, ...args]
  return [...image.entrypoint, ...(args.length > 0 ? args : image.args)]
}

function imageEnvironment({ unpacked }: CatalogueOptions): Readonly<Record<string, string>> {
  const path = [PATH, ...unpacked.programs].join(':')
  return unpacked.libraries.length === 0
    ? { PATH: path }
    : { PATH: path, LD_LIBRARY_PATH: unpacked.libraries.join(':') }
}
