import test from 'ava'
import fc from 'fast-check'
import { expand } from '../src/kubelet/expand.ts'

const values: Readonly<Record<string, string>> = { A: '1', B_C: 'two', EMPTY: '' }
const lookup = (name: string): string | undefined => values[name]

const expands = test.macro({
  exec(t, input: string, output: string) {
    t.is(expand(input, lookup), output)
  },
  title: (_, input, output) => `${JSON.stringify(input)} becomes ${JSON.stringify(output)}`,
})

test(expands, 'x$(A)y', 'x1y')
test(expands, '$(A)$(B_C)', '1two')
test(expands, '$(EMPTY)', '')
test(expands, '$(UNKNOWN)', '$(UNKNOWN)')
test(expands, '$$(A)', '$(A)')
test(expands, '$A $ $', '$A $ $')
test(expands, '$(A', '$(A')

test('text without a dollar sign is left alone', (t) => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes('$')),
      (text) => expand(text, lookup) === text,
    ),
  )
  t.pass()
})
