// The reactor of hbone. A run of all packages at once has hung in it once, cause unknown, so it has a run of its own.
export default {
  extensions: ['ts'],
  files: ['packages/hbone/test/reactor*.test.ts'],
  nodeArguments: ['--disable-warning=ExperimentalWarning'],
  workerThreads: false,
  timeout: '60s',
}
