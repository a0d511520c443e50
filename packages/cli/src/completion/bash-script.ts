import type { CompletionNode } from './completion-nodes.ts'
import { shellTables } from './shell-tables.ts'

/** Completion for bash. It breaks words at `=`, so a flag and its value come as three words. */
const BODY = String.raw`
_ambit_namespaces() {
  kubectl get namespaces --request-timeout=2s -o 'jsonpath={.items[*].metadata.name}' 2>/dev/null
}

_ambit() {
  local REPLY node=ambit flag='' word i
  local cur=${'$'}{COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${'$'}{COMP_WORDS[i]}
    if [[ -n $flag ]]; then
      [[ $word == '=' ]] || flag=''
    elif [[ $word == -* ]]; then
      if _ambit_value "$node" "$word"; then flag=$word; fi
    elif _ambit_child "$node" "$word"; then
      node=$REPLY
    fi
  done
  if [[ -n $flag ]]; then
    if [[ $cur == '=' ]]; then cur=''; fi
    _ambit_value "$node" "$flag"
    case $REPLY in
      @files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
      @namespaces) COMPREPLY=($(compgen -W "$(_ambit_namespaces)" -- "$cur")) ;;
      @*) ;;
      *) COMPREPLY=($(compgen -W "$REPLY" -- "$cur")) ;;
    esac
    return
  fi
  if [[ $cur == -* ]]; then
    _ambit_flags "$node"
    COMPREPLY=($(compgen -W "$REPLY" -- "$cur"))
    return
  fi
  local words
  _ambit_commands "$node"
  words=$REPLY
  if [[ -n $cur ]]; then
    _ambit_aliases "$node"
    words="$words $REPLY"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -F _ambit ambit
`

/** The script of `ambit completion bash`. */
export function bashScript(nodes: readonly CompletionNode[]): string {
  return `# bash completion for ambit; made by: ambit completion bash\n\n${shellTables(nodes)}\n${BODY}`
}
