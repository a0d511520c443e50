import { KNOWN_IMAGES } from '../images/catalogue.ts'
import { parseLoad } from '../images/load-command.ts'
import { addToImageList, imageListFile, type LoadedImage, readImageList } from '../images/loaded-images.ts'
import { readConfig } from './daemon.ts'
import { DEFAULT_SANDBOX_NAME, SandboxNotRunningError, sandboxStatus } from './sandbox.ts'
import { ambitHome, type SandboxConfig, stateFolder } from './state-folder.ts'

export interface SandboxImage {
  readonly name: string
  /** The command of a loaded image; those that come with the sandbox show none. */
  readonly command: readonly string[] | undefined
}

/** Gives a program of this machine an image's name in a running sandbox. Resolves with that name, without tag. */
export function loadImage(
  text: string,
  o: { readonly name?: string | undefined; readonly home?: string | undefined; readonly cwd: string },
): { readonly name: string; readonly image: LoadedImage } {
  const config = runningConfig(o.name, o.home)
  const loaded = parseLoad(text, { cwd: o.cwd, workspace: config.workspace })
  addToImageList(imageListFile(config), loaded.name, loaded.image)
  return loaded
}

/** All names that mean something in a running sandbox: loaded ones first. */
export function sandboxImages(o: {
  readonly name?: string | undefined
  readonly home?: string | undefined
}): SandboxImage[] {
  const list = readImageList(imageListFile(runningConfig(o.name, o.home)))
  const own = Object.entries(list).map(([name, { command }]) => ({ name, command }))
  const known = KNOWN_IMAGES.filter((name) => !Object.hasOwn(list, name)).map((name) => ({ name, command: undefined }))
  return [...own, ...known]
}

function runningConfig(name: string = DEFAULT_SANDBOX_NAME, home: string = ambitHome(process.env)): SandboxConfig {
  if (sandboxStatus(name, home) === undefined)
    throw new SandboxNotRunningError(`sandbox ${name} is not running; start it with 'ambit sandbox up'`)
  return readConfig(stateFolder(home, name).config)
}
