// Unit and in-process tiers. Tiers that need namespaces or a sandbox have configurations of their own in .ci.
export default {
  extensions: ['ts'],
  files: ['packages/*/test/**/*.test.ts', '!packages/*/test/**/*.netns.test.ts'],
  nodeArguments: ['--disable-warning=ExperimentalWarning'],
  workerThreads: false,
  timeout: '60s',
}
