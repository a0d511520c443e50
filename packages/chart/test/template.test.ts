import test from 'ava'
import * as fc from 'fast-check'
import { ALL_FUNCTIONS } from '../src/functions/all-functions.ts'
import { TemplateRunner } from '../src/template/execute-template.ts'
import type { Templates } from '../src/template/nodes.types.ts'
import { parseTemplate } from '../src/template/parse-template.ts'
import { fromPlain } from '../src/value.ts'

const VALUES = {
  name: 'web',
  replicas: 3,
  ratio: 0.5,
  on: true,
  off: false,
  none: null,
  empty: {},
  list: ['a', 'b', 'c'],
  map: { z: 1, a: 'x', nested: { deep: 'down' } },
  yes: 'yes',
  multi: 'one\ntwo',
}

function render(source: string, more: Readonly<Record<string, string>> = {}): string {
  const templates: Templates = new Map()
  for (const [name, text] of Object.entries(more)) parseTemplate(text, name, templates)
  parseTemplate(source, 'chart/templates/x.yaml', templates)
  const parseText = (text: string, name: string, known: Templates): Templates => {
    const apart: Templates = new Map(known)
    parseTemplate(text, name, apart)
    return apart
  }
  const runner = new TemplateRunner({ templates, functions: ALL_FUNCTIONS, parseText })
  return runner.run('chart/templates/x.yaml', fromPlain({ Values: VALUES }))
}

// What Go's text/template and Helm's engine give for the same text.
const gives = test.macro({
  exec: (t, source: string, expected: string) => t.is(render(source), expected),
  title: (_, source: string) => `gives: ${JSON.stringify(source)}`,
})
test(gives, 'plain {{ "text" }}', 'plain text')
test(gives, 'a  {{- "b" -}}  c', 'abc')
test(gives, 'a  {{ "b" -}}\n  c', 'a  bc')
test(gives, 'a{{/* note */}}b{{- /* note }} */ -}} c', 'abc')
test(gives, '{{ .Values.name }}-{{ .Values.replicas }}', 'web-3')
test(gives, '{{ .Values.missing }}|{{ .Values.none }}|', '||')
test(gives, '{{ (.Values.missing).deeper.still }}|', '|')
test(gives, '{{ $.Values.map.nested.deep }}', 'down')
test(gives, '{{ .Values.list }} {{ .Values.map }}', '[a b c] map[a:x nested:map[deep:down] z:1]')
test(gives, '{{ 1e6 }} {{ 0.00001 }} {{ 1e21 }} {{ .Values.ratio }}', '1000000 1e-05 1e+21 0.5')
test(
  gives,
  '{{ if .Values.on }}1{{ else }}2{{ end }}{{ if .Values.off }}1{{ else if .Values.on }}2{{ else }}3{{ end }}',
  '12',
)
test(gives, '{{ with .Values.map.nested }}{{ .deep }}{{ end }}{{ with .Values.empty }}x{{ else }}y{{ end }}', 'downy')
test(gives, '{{ with .Values.none }}x{{ else with .Values.name }}{{ . }}{{ end }}', 'web')
test(gives, '{{ range .Values.list }}{{ . }},{{ end }}{{ range .Values.none }}x{{ else }}none{{ end }}', 'a,b,c,none')
test(gives, '{{ range $i, $v := .Values.list }}{{ $i }}{{ $v }}{{ end }}', '0a1b2c')
test(gives, '{{ range $k, $v := .Values.map }}{{ $k }} {{ end }}', 'a nested z ')
test(gives, '{{ range .Values.list }}{{ if eq . "b" }}{{ continue }}{{ end }}{{ . }}{{ end }}', 'ac')
test(gives, '{{ range .Values.list }}{{ if eq . "b" }}{{ break }}{{ end }}{{ . }}{{ end }}', 'a')
test(gives, '{{ range $i := until 3 }}{{ $i }}{{ end }}', '012')
test(gives, '{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}', '2')
test(gives, '{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}', '1')
test(gives, '{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" "x" }}{{ include "t" "y" | upper }}', '<x><Y>')
test(gives, '{{ block "b" .Values.name }}[{{ . }}]{{ end }}', '[web]')
test(gives, '{{ tpl "{{ .Values.name }}!" . }}', 'web!')
test(gives, '{{ and 1 0 (fail "not looked at") }}{{ or "" "x" (fail "not looked at") }}', '0x')
test(gives, '{{ "a" | printf "%s-%s" "b" }}', 'b-a')
test(
  gives,
  '{{ printf "%5d|%-4s|%q|%v|%.2f|%t|%03d|%%" 42 "ab" "c\\"d" .Values.list .Values.ratio true 7 }}',
  '   42|ab  |"c\\"d"|[a b c]|0.50|true|007|%',
)
test(gives, '{{ quote .Values.name 1 nil }} {{ squote "a" }} {{ cat "a" 1 "b" }}', '"web" "1" \'a\' a 1 b')
test(gives, '{{ "x\\ny" | indent 2 }}{{ "x" | nindent 4 }}', '  x\n  y\n    x')
test(
  gives,
  '{{ default "d" .Values.missing }}{{ default "d" .Values.name }}{{ .Values.off | default true }}',
  'dwebtrue',
)
test(gives, '{{ ternary "a" "b" .Values.on }}{{ coalesce nil "" "x" "y" }}{{ empty .Values.empty }}', 'axtrue')
test(
  gives,
  '{{ hasKey .Values.map "a" }}{{ get .Values.map "a" }}{{ dig "nested" "deep" "d" .Values.map }}{{ dig "n" "m" "d" .Values.map }}',
  'truexdownd',
)
test(
  gives,
  '{{ keys .Values.map | sortAlpha | join "," }} {{ list 1 2 | len }} {{ first .Values.list }}{{ last .Values.list }}',
  'a,nested,z 2 ac',
)
test(
  gives,
  '{{ has "b" .Values.list }}{{ without .Values.list "b" }}{{ append .Values.list "d" | join "" }}{{ uniq (list 1 1 2) }}',
  'true[a c]abcd[1 2]',
)
test(
  gives,
  '{{ merge (dict "a" 1) (dict "a" 2 "b" 3) }} {{ mergeOverwrite (dict "a" 1) (dict "a" false "b" 3) }}',
  'map[a:1 b:3] map[a:false b:3]',
)
test(gives, '{{ $d := dict "a" 1 }}{{ $_ := set $d "b" 2 }}{{ $_ := unset $d "a" }}{{ $d }}', 'map[b:2]')
test(
  gives,
  '{{ pick .Values.map "a" }}{{ omit .Values.map "nested" "z" }}{{ index .Values.map "nested" "deep" }}{{ index .Values.list 1 }}',
  'map[a:x]map[a:x]downb',
)
test(
  gives,
  '{{ int "12" }}{{ add 1 2 3 }}{{ sub 5 2 }}{{ div 7 2 }}{{ mod 7 2 }}{{ mul 2 3 }}{{ max 1 5 2 }}',
  '12633165',
)
test(
  gives,
  '{{ eq 1 1 }}{{ eq "a" "b" "a" }}{{ ne 1 2 }}{{ lt 1 2 }}{{ ge "b" "a" }}{{ gt (int .Values.replicas) 2 }}',
  'truetruetruetruetruetrue',
)
test(
  gives,
  '{{ "a-b" | replace "-" "_" | upper }}{{ "abc" | trunc 2 }}{{ "x-" | trimSuffix "-" }}{{ "$&" | replace "$&" "ok" }}',
  'A_Babxok',
)
test(
  gives,
  '{{ regexReplaceAll "a(b+)" "xabbx" "${1}" }} {{ regexMatch "^x" "xy" }} {{ regexFind "[0-9]+" "a12" }}',
  'xbbx true 12',
)
test(gives, '{{ "aGk=" | b64dec }}{{ "hi" | b64enc }} {{ sha256sum "" | trunc 8 }}', 'hiaGk= e3b0c442')
test(gives, '{{ toJson (dict "a" "<b>" "c" (list 1 true nil)) }}', '{"a":"\\u003cb\\u003e","c":[1,true,null]}')
test(gives, '{{ toYaml .Values.map }}', 'a: x\nnested:\n  deep: down\nz: 1')
test(
  gives,
  '{{ toYaml (list "yes" "1" "a: b" "" "0.1.0" (dict "k" (list "v"))) }}',
  '- "yes"\n- "1"\n- "a: b"\n- ""\n- 0.1.0\n- k:\n  - v',
)
test(gives, '{{ toYaml .Values.multi }}', '|-\n  one\n  two')
test(gives, '{{ (fromYaml "a: {b: [1, x]}").a.b }}{{ (fromJson "{\\"a\\":1}").a }}', '[1 x]1')
test(
  gives,
  '{{ semverCompare ">=1.30-0" "v1.33.0+x" }}{{ semverCompare "^1.2" "2.0.0" }}{{ semverCompare "<1.2 || ~1.5" "1.5.9" }}',
  'truefalsetrue',
)
test(gives, '{{ lookup "v1" "Secret" "ns" "name" | empty }}{{ required "no" "x" }}', 'truex')
test(
  gives,
  '{{ kindIs "map" .Values.map }}{{ kindOf .Values.list }}{{ typeOf 1 }}{{ typeOf .Values.replicas }}',
  'truesliceintfloat64',
)

const fails = test.macro({
  exec(t, source: string, expected: RegExp) {
    t.throws(() => render(source), { code: 'CHART_TEMPLATE', message: expected })
  },
  title: (_, source: string) => `fails: ${JSON.stringify(source)}`,
})
test(fails, 'x\n\n{{ nope 1 }}', /^chart\/templates\/x\.yaml:3: function "nope" is not known/)
test(fails, '{{ now }}{{ randAlphaNum 3 }}', /function "now" is not known/)
test(fails, '{{ .Values.missing.deeper }}', /x\.yaml:1: \.Values\.missing is nil, so it has no \.deeper/)
test(fails, '{{ .Values.name.first }}', /string has no field first/)
test(fails, '{{ $x }}', /variable \$x is not declared/)
test(fails, '{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}', /not declared/)
test(fails, '{{ eq .Values.replicas 3 }}', /float64 and int can't be compared/)
test(fails, '{{ lt "a" 1 }}', /string and int can't be compared/)
test(fails, '{{ printf "%d" .Values.replicas }}', /%d can't format float64/)
test(fails, '{{ printf "%s" }}', /more verbs than arguments/)
test(fails, '{{ printf "x" 1 }}', /uses 0 of 1 arguments/)
test(fails, '{{ required "say a name" .Values.missing }}', /required: say a name/)
test(fails, '{{ fail "stop" }}', /x\.yaml:1: fail: stop$/)
test(fails, '{{ include "nope" . }}', /template "nope" is not defined/)
test(fails, '{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}', /include each other more than/)
test(fails, '{{ trim 5 }}', /trim: argument 1 is int where a string is needed/)
test(fails, '{{ upper }}', /upper takes 1 arguments, not 0/)
test(fails, '{{ index .Values.list 7 }}', /index 7 of a list of 3/)
test(fails, '{{ fromYaml "a: [" }}', /no valid YAML/)
test(fails, '{{ div 1 0 }}', /division by zero/)
test(fails, '{{ if true }}', /has no {{ end }}/)
test(fails, '{{ end }}', /unexpected {{ end }}/)
test(fails, '{{ "open }}', /a string is not closed/)
test(fails, '{{ .Values.name', /not closed with }}/)
test(fails, '{{ }}', /a value is missing/)
test(fails, '{{ (1 }}', /a parenthesis is not closed/)
test(fails, '{{ "a" | "b" }}', /only a function can stand behind \|/)
test(fails, '{{ . ; }}', /unexpected ";/)
test(fails, '{{ range untilStep 0 9999999 1 }}{{ end }}', /a list of 9999999 numbers/)

test('a loop in a loop in a loop ends at the limit of steps', (t) => {
  const deep = '{{ range until 1000 }}{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}{{ end }}'
  t.throws(() => render(deep), { code: 'CHART_TEMPLATE', message: /more than 5000000 steps/ })
})

test('no template makes the renderer throw anything but an error of a template', (t) => {
  const word = fc.constantFrom(
    '{{',
    '}}',
    '{{-',
    '-}}',
    ' ',
    '\n',
    'if',
    'else',
    'end',
    'range',
    'with',
    'define',
    '"t"',
    '.',
    '.Values',
    '.list',
    '$x',
    ':=',
    '=',
    '|',
    '(',
    ')',
    ',',
    '1',
    '"s"',
    '`r`',
    'eq',
    'include',
    'toYaml',
    'printf',
    'dict',
    'merge',
    '/*',
    '*/',
    'nil',
    'tpl',
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      const source = words.join(' ')
      try {
        render(source)
      } catch (error) {
        t.is((error as { code?: string }).code, 'CHART_TEMPLATE', `${source}: ${String(error)}`)
      }
    }),
    { numRuns: 5_000 },
  )
})
