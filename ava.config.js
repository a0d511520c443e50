// Unit and in-process tiers. The cluster tier has its own configuration: it needs one process at a time.
export default {
  extensions: ['ts'],
  files: ['packages/*/test/**/*.test.ts', 'test/{unit,in-process}/**/*.test.ts'],
  nodeArguments: ['--disable-warning=ExperimentalWarning'],
  workerThreads: false,
  timeout: '60s',
}
