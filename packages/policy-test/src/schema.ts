import { readFileSync } from 'node:fs'

/** JSON schema of tests, for editors: what it refuses the decoder refuses too. */
export function policyTestSchema(): string {
  return readFileSync(new URL('../policy-test.schema.json', import.meta.url), 'utf8').trimEnd()
}
