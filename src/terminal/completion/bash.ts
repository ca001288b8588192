import { type Completable, identifier } from './completable.ts'

/** Also for bash 3.2, as macOS has it. No name of a table is ever evaluated: it is quoted, or left out. */
export function bash(name: string, completables: readonly Completable[]): string {
  const f = `_${identifier(name)}`
  return `
${f}_tables() {
  local beginning= rest=$word quote= found
  case $word in
    \\'*) quote=\\' beginning=\${word:1} ;;
    \\"*) quote=\\" beginning=\${word:1} ;;
    *)
      while [[ $rest == *\\\\* ]]; do
        beginning+=\${rest%%\\\\*} rest=\${rest#*\\\\}
        beginning+=\${rest:0:1} rest=\${rest:1}
      done
      beginning+=$rest ;;
  esac
  while IFS= read -r found; do
    case $quote in
      \\') [[ $found == *\\'* ]] && continue ;;
      \\") [[ $found == *[\\"\\$\\\`\\\\!]* ]] && continue ;;
      *) printf -v found %q "$found" ;;
    esac
    COMPREPLY+=("$found")
  done < <("\${program[@]}" complete-tables -- "$beginning" 2>/dev/null </dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *. ]] && compopt -o nospace 2>/dev/null
}
${f}_words() {
  COMPREPLY=($(compgen -W "$1" -- "$word"))
}
${f}() {
  local at=\${1:-0}
  [[ $at == *[!0-9]* ]] && at=0
  local program=("\${COMP_WORDS[@]:0:at+1}") typed=("\${COMP_WORDS[@]:at}") count=$((COMP_CWORD-at))
  [[ $at -gt 0 ]] && program=(npx --no-install ${name})
  local word=\${typed[count]} before=\${typed[count-1]} command=
  COMPREPLY=()
  [[ $count -gt 1 ]] && command=\${typed[1]}
  [[ $count -gt 2 ]] && case "\${typed[1]} \${typed[2]}" in
${nested(completables)}
  esac
  case $command:$before in
${completables.flatMap(valuesOf).join('\n')}
    *) case $command:$word in
${completables.flatMap(wordsOf).join('\n')}
    esac ;;
  esac
}
${f}_npx() {
  local at=1
  while [[ $at -lt $COMP_CWORD && \${COMP_WORDS[at]} == -* ]]; do at=$((at+1)); done
  if [[ $at -lt $COMP_CWORD && \${COMP_WORDS[at]} == ${name} ]]; then
    ${f} $at
  elif [[ $at -eq $COMP_CWORD ]]; then
    COMPREPLY=($(compgen -W ${name} -- "\${COMP_WORDS[COMP_CWORD]}"))
  fi
}
complete -o default -F ${f} ${name}
complete -p npx >/dev/null 2>&1 || complete -o default -F ${f}_npx npx
`.trimStart()

  function valuesOf({ path, flags }: Completable): string[] {
    return flags.flatMap(({ flag, choices, takesTable }) => {
      const act = takesTable ? `${f}_tables` : choices.length > 0 ? `${f}_words '${choices.join(' ')}'` : ''
      return act ? [`    ${pattern(path)}:${flag}) ${act} ;;`] : []
    })
  }

  function wordsOf({ path, commands, words, takesTable, flags }: Completable): string[] {
    const named = flags.map(({ flag }) => flag)
    const others = [...commands.map((command) => command.name), ...words, ...(path.length > 0 ? named : [])]
    return [
      `      ${pattern(path)}:-*) ${f}_words '${named.join(' ')}' ;;`,
      `      ${pattern(path)}:*) ${takesTable ? `${f}_tables` : `${f}_words '${others.join(' ')}'`} ;;`,
    ]
  }
}

const pattern = (path: readonly string[]) => `'${path.join(' ')}'`

function nested(completables: readonly Completable[]): string {
  const paths = completables.filter(({ path }) => path.length > 1).map(({ path }) => `'${path.join(' ')}'`)
  return `    ${[...paths, "' '"].join('|')}) command="\${typed[1]} \${typed[2]}" ;;`
}
