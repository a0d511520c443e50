// Our conversions against documents written by others. The runner skips this tier where they are not at hand.
export default {
  extensions: ['ts'],
  files: ['test/goldens/**/*.test.ts'],
  nodeArguments: ['--disable-warning=ExperimentalWarning'],
  workerThreads: false,
  timeout: '60s',
}
