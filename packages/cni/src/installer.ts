import { type FSWatcher, watch } from 'node:fs'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  AmbitError,
  type Clock,
  type Closable,
  type Counter,
  codeOf,
  type Gauge,
  type Logger,
  messageOf,
} from '@ambit/core'
import { ensureFile } from './atomic-file.ts'
import { chainedName, hasPlugin, insertPlugin, PLUGIN_TYPE, primaryConfig, removePlugin } from './conflist.ts'
import { CNI_CONFIG_CHECK_MS, CNI_CONFIG_MAX_BYTES } from './limits.ts'
import { installRuntime, type PluginRuntime, removeOtherRuntimes } from './plugin-runtime.ts'

/** There is nothing to chain to: no other CNI plugin is configured yet. */
export class NoCniConfigError extends AmbitError {
  override readonly code = 'NO_CNI_CONFIG'
}

export interface InstallerOptions {
  /** Folders of the node, as mounted here. */
  readonly binDir: string
  readonly configDir: string
  readonly runDir: string
  /** A configuration to chain to by name, instead of the first. */
  readonly configName?: string | undefined
  /** Keep the chain in a file of our own, which sorts first, instead of editing the other plugin's. */
  readonly ownedConfigName?: string | undefined
  /** Content of the executable the container runtime calls. */
  readonly launcher: string
  /** What it needs beside it, if anything. */
  readonly runtime?: PluginRuntime | undefined
  readonly plugin: Readonly<Record<string, unknown>>
  readonly kubeconfigName: string
  /** Content of the plugin's kubeconfig now; its token changes. */
  readonly kubeconfig: () => Promise<string>
}

export interface InstallerComponents {
  readonly clock: Clock
  readonly logger: Logger
  readonly ready: Gauge
  readonly installs: Counter
}

/** Configurations may hold credentials of other plugins. */
const CONFIG_MODE = 0o600
const EXECUTABLE_MODE = 0o755

/** Keeps our plugin in the node's CNI chain, whatever other software does to the files. */
export class CniInstaller implements Closable {
  readonly #components: InstallerComponents
  readonly #options: InstallerOptions
  readonly #first = Promise.withResolvers<void>()
  #watcher: FSWatcher | undefined
  #timer: Disposable | undefined
  #checking: Promise<void> = Promise.resolve()
  #installed = false
  #due = false
  #closed = false

  constructor(components: InstallerComponents, options: InstallerOptions) {
    this.#components = components
    this.#options = options
    components.ready.set({}, 0)
  }

  get installed(): boolean {
    return this.#installed
  }

  /** Installs and goes on watching; resolves when the plugin is in place for the first time. */
  start(): Promise<void> {
    this.#check()
    this.#follow()
    return this.#first.promise
  }

  /** Stops watching and leaves everything in place. */
  async close(): Promise<void> {
    this.#closed = true
    this.#watcher?.close()
    this.#timer?.[Symbol.dispose]()
    await this.#checking
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Takes the plugin out of the chain, then its files away: a chain that names a missing program fails every pod. */
  async uninstall(): Promise<void> {
    await this.close()
    const { configDir, binDir, runDir, ownedConfigName, kubeconfigName } = this.#options
    if (ownedConfigName !== undefined) await rm(join(configDir, ownedConfigName), { force: true })
    // The network plugin may have gone first, with its folder: no chain names us then.
    const names = await readdir(configDir).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    })
    for (const name of names.filter((each) => each.endsWith('.conflist'))) {
      const path = join(configDir, name)
      try {
        await ensureFile(path, removePlugin(await this.#read(path)), CONFIG_MODE)
      } catch (error) {
        this.#components.logger.warn('CNI configuration left alone', { path, error: messageOf(error) })
      }
    }
    await rm(join(binDir, PLUGIN_TYPE), { force: true })
    await removeOtherRuntimes(binDir, undefined)
    await rm(join(runDir, kubeconfigName), { force: true })
    this.#components.ready.set({}, 0)
  }

  /** Any number of changes that come while a check is due make one check. */
  #check(): void {
    if (this.#due) return
    this.#due = true
    this.#checking = this.#checking.then(() => {
      this.#due = false
      return this.#install()
    })
  }

  async #install(): Promise<void> {
    if (this.#closed) return
    const { logger, ready, installs } = this.#components
    try {
      if (await this.#ensure()) {
        installs.add({ result: 'SUCCESS' })
        logger.info('CNI plugin installed', { folder: this.#options.configDir })
      }
      this.#installed = true
      ready.set({}, 1)
      this.#first.resolve()
    } catch (error) {
      if (this.#installed) ready.set({}, 0)
      this.#installed = false
      installs.add({ result: error instanceof NoCniConfigError ? 'NO_CONFIG' : 'FAILURE' })
      logger.warn('CNI plugin cannot be installed, trying again', { error: messageOf(error) })
    }
  }

  /** In an order in which a pod made meanwhile finds everything its chain names. */
  async #ensure(): Promise<boolean> {
    const { binDir, runDir, configDir, launcher, kubeconfigName, kubeconfig, plugin, ownedConfigName } = this.#options
    const kubeconfigChanged = await ensureFile(join(runDir, kubeconfigName), await kubeconfig(), CONFIG_MODE)
    const { runtime } = this.#options
    const runtimeChanged = runtime !== undefined && (await installRuntime(binDir, runtime))
    const launcherChanged = await ensureFile(join(binDir, PLUGIN_TYPE), launcher, EXECUTABLE_MODE)
    const name = this.#options.configName ?? primaryConfig(await readdir(configDir), ownedConfigName)
    if (name === undefined)
      throw new NoCniConfigError(`${configDir} holds no CNI configuration; is the cluster's network plugin running?`)
    const source = join(configDir, name)
    const text = await this.#read(source)
    const target = join(configDir, ownedConfigName ?? chainedName(name))
    const wanted = hasPlugin(text, plugin) && target === source ? text : insertPlugin(text, plugin)
    const configChanged = await ensureFile(target, wanted, CONFIG_MODE)
    // The single-plugin form would come first by name and win over the chain.
    if (target !== source && ownedConfigName === undefined) await rm(source, { force: true })
    if (launcherChanged || runtimeChanged) await removeOtherRuntimes(binDir, runtime?.id)
    return kubeconfigChanged || runtimeChanged || launcherChanged || configChanged
  }

  async #read(path: string): Promise<string> {
    const { size } = await stat(path)
    if (size > CNI_CONFIG_MAX_BYTES)
      throw new NoCniConfigError(`${path} has ${size} bytes, more than ${CNI_CONFIG_MAX_BYTES}`)
    return await readFile(path, 'utf8')
  }

  /** A watch for speed and a timer for certainty; the timer also renews the token. */
  #follow(): void {
    try {
      this.#watcher = watch(this.#options.configDir, () => this.#check())
      this.#watcher.on('error', (error) => {
        this.#components.logger.warn('CNI folder cannot be watched, looking now and then', { error: error.message })
      })
    } catch (error) {
      this.#components.logger.warn('CNI folder cannot be watched, looking now and then', { error: messageOf(error) })
    }
    const tick = (): void => {
      if (this.#closed) return
      this.#check()
      this.#timer = this.#components.clock.after(CNI_CONFIG_CHECK_MS, tick)
    }
    this.#timer = this.#components.clock.after(CNI_CONFIG_CHECK_MS, tick)
  }
}
