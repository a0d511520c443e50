// Tests that make network namespaces; started inside a user namespace by bin/run.mjs. One process at a time:
// setns moves a thread, and the namespaces' names are shared.
export default {
  extensions: ['ts'],
  files: ['packages/*/test/**/*.netns.test.ts'],
  nodeArguments: ['--disable-warning=ExperimentalWarning'],
  workerThreads: false,
  concurrency: 1,
  timeout: '2m',
}
