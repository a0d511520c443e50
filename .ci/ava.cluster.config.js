// Tests on a real sandbox: real kubectl, curl, redirection. One at a time: two cores are no room for two clusters.
export default {
  extensions: ['ts'],
  files: ['test/cluster/**/*.test.ts'],
  nodeArguments: ['--disable-warning=ExperimentalWarning'],
  workerThreads: false,
  concurrency: 1,
  timeout: '4m',
}
