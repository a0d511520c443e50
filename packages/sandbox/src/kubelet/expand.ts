/** Replaces `$(NAME)` by its value; `$$(NAME)` stays `$(NAME)`, and what isn't defined stays as written (Kubernetes). */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replaceAll(/\$(\$|\(([^()]+)\))/g, (whole, kind: string, name: string | undefined) => {
    if (kind === '$') return '$'
    return (name === undefined ? undefined : lookup(name)) ?? whole
  })
}
