import test from 'ava'
import { analyze, Snapshot } from '../src/index.ts'
import { CASES, titleOf } from './cases.ts'

for (const one of CASES)
  test(titleOf(one), (t) => {
    const messages = analyze(new Snapshot({ cluster: one.objects, files: [] }))
    const lines = messages.map(({ level, code, origin, message }) => `${level} [${code}] (${origin}) ${message}`)
    t.deepEqual(
      lines.filter((line) => line.includes('[IST0001]')),
      [],
    )
    const own = lines.filter((line) => line.includes(`[${one.code}]`))
    if (one.line === undefined) t.deepEqual(own, [])
    else
      t.true(
        own.some((line) => one.line?.test(line)),
        lines.join('\n') || 'no messages',
      )
  })
