import type { CompletionNode } from './completion-nodes.ts'
import { shellCase, shellTables } from './shell-tables.ts'

/** Completion for zsh, which shows the summaries as well. */
const BODY = String.raw`
_ambit_namespaces() {
  kubectl get namespaces --request-timeout=2s -o 'jsonpath={.items[*].metadata.name}' 2>/dev/null
}

_ambit() {
  local REPLY node=ambit flag='' word i
  local -a described
  for ((i = 2; i < CURRENT; i++)); do
    word=${'$'}{words[i]}
    if [[ -n $flag ]]; then
      flag=''
    elif [[ $word == -* ]]; then
      if _ambit_value "$node" "$word"; then flag=$word; fi
    elif _ambit_child "$node" "$word"; then
      node=$REPLY
    fi
  done
  word=${'$'}{words[CURRENT]}
  if [[ -z $flag && $word == --*=* ]]; then
    flag=${'$'}{word%%=*}
    compset -P '*='
  fi
  if [[ -n $flag ]]; then
    _ambit_value "$node" "$flag" || return 1
    case $REPLY in
      @files) _files ;;
      @namespaces) compadd -- ${'$'}{=$(_ambit_namespaces)} ;;
      @*) _message 'value' ;;
      *) compadd -- ${'$'}{=REPLY} ;;
    esac
    return
  fi
  if [[ $word == -* ]]; then
    _ambit_described_flags "$node"
    described=(${'$'}{(f)REPLY})
    _describe -o 'flag' described
    return
  fi
  _ambit_described_commands "$node"
  described=(${'$'}{(f)REPLY})
  if [[ -n $word ]]; then
    _ambit_aliases "$node"
    described+=(${'$'}{=REPLY})
  fi
  _describe 'command' described
}

if [[ ${'$'}{funcstack[1]} == _ambit ]]; then
  _ambit "$@"
else
  compdef _ambit ambit
fi
`

/** The script of `ambit completion zsh`; also usable as a file `_ambit` in fpath. */
export function zshScript(nodes: readonly CompletionNode[]): string {
  const [root] = nodes
  const line = (word: string, summary: string): string =>
    `${word}:${summary.replaceAll('\n', ' ').replaceAll(':', '\\:')}`
  const commands = nodes
    .filter((node) => node.commands.length > 0)
    .map((node): [string, string] => {
      const lines = node.commands.map(({ name, summary }) => line(name, summary))
      return [node.path, [...lines, ...(node === root ? [line('help', 'Explain a command')] : [])].join('\n')]
    })
  const flags = nodes.map((node): [string, string] => [
    node.path,
    node.flags.flatMap(({ words, summary }) => words.map((word) => line(word, summary))).join('\n'),
  ])
  return [
    '#compdef ambit',
    '# zsh completion for ambit; made by: ambit completion zsh',
    '',
    shellTables(nodes),
    shellCase('_ambit_described_commands', '$1', commands),
    shellCase('_ambit_described_flags', '$1', flags),
    BODY,
  ].join('\n')
}
