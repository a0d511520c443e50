import { SelectionError } from '../errors.ts'
import type { SandboxOperations, SandboxSummary } from './sandbox-operations.types.ts'

/** The sandbox package, loaded when a sandbox command needs it. */
export async function sandboxOperations(): Promise<SandboxOperations> {
  const sandbox = await import('@ambit/sandbox')
  const summary = (running: {
    readonly name: string
    readonly nodes: number
    readonly apiUrl: string
    readonly kubeconfig: string
    readonly startedAt: string
  }): SandboxSummary => ({
    name: running.name,
    nodes: running.nodes,
    apiUrl: running.apiUrl,
    kubeconfigPath: running.kubeconfig,
    startedAt: running.startedAt,
  })
  return {
    up: async ({ name, nodes, data, onProgress, signal }) => {
      const started = await sandbox.sandboxUp({ name, nodes, data, signal }, onProgress)
      return { ...summary(started), wasRunning: started.wasRunning }
    },
    down: (name) => sandbox.sandboxDown(name),
    status: (name) =>
      sandbox
        .runningSandboxes()
        .filter((running) => name === undefined || running.name === name)
        .map(summary),
    load(text, name) {
      const loaded = sandbox.loadImage(text, { name, cwd: process.cwd() })
      return { name: loaded.name, command: loaded.image.command }
    },
    images: (name) => sandbox.sandboxImages({ name }),
    kubeconfigOf(name) {
      const running = sandbox.sandboxStatus(name)
      if (running !== undefined) return running.kubeconfig
      throw new SelectionError(`sandbox "${name}" is not running; start it: ambit sandbox up --name ${name}`)
    },
  }
}
