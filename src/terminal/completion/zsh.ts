import { type Completable, identifier, single } from './completable.ts'

/** No name of a table is ever evaluated: compadd quotes what it inserts. */
export function zsh(name: string, completables: readonly Completable[]): string {
  const f = `_${identifier(name)}`
  return `
#compdef ${name}
${f}_tables() {
  local -a found schemas
  found=("\${(@f)$("\${program[@]}" complete-tables -- "\${(Q)PREFIX}" 2>/dev/null </dev/null)}")
  schemas=(\${(M)found:#*.})
  found=(\${\${found:#*.}:#})
  (( $#schemas )) && compadd -S '' -a schemas
  (( $#found )) && compadd -a found
}
${f}() {
  local -a program words_of
  program=("$@")
  (( $#program )) || program=($words[1])
  local command=
  (( CURRENT > 2 )) && command=$words[2]
  (( CURRENT > 3 )) && case "$words[2] $words[3]" in
${nested(completables)}
  esac
  case $command:$words[CURRENT-1] in
${completables.flatMap(valuesOf).join('\n')}
    *) case $command:$words[CURRENT] in
${completables.flatMap(wordsOf).join('\n')}
    esac ;;
  esac
  _describe ${name} words_of || _files
}
${f}_npx() {
  local -i at=2
  while (( at < CURRENT )) && [[ $words[at] == -* ]]; do (( at++ )); done
  if (( at < CURRENT )) && [[ $words[at] == ${name} ]]; then
    words=("\${(@)words[at,-1]}")
    (( CURRENT -= at - 1 ))
    ${f} npx --no-install ${name}
  elif (( at == CURRENT )); then
    compadd ${name} || _files
  else
    _files
  fi
}
compdef ${f} ${name}
(( $+_comps[npx] )) || compdef ${f}_npx npx
`.trimStart()

  function valuesOf({ path, flags }: Completable): string[] {
    return flags.flatMap(({ flag, choices, takesTable }) => {
      if (takesTable) return [`    ${pattern(path)}:${flag}) ${f}_tables; return ;;`]
      return choices.length > 0 ? [`    ${pattern(path)}:${flag}) words_of=(${choices.join(' ')}) ;;`] : []
    })
  }

  function wordsOf({ path, commands, words, takesTable, flags }: Completable): string[] {
    const named = flags.map(({ flag, description }) => described(flag, description))
    const others = [...commands.map((command) => described(command.name, command.description)), ...words]
    const list = (entries: string[]) =>
      `words_of=(\n${entries.map((each) => `        ${each}`).join('\n')}\n      ) ;;`
    const listed = list([...others, ...(path.length > 0 ? named : [])])
    return [
      `      ${pattern(path)}:-*) ${list(named)}`,
      `      ${pattern(path)}:*) ${takesTable ? `${f}_tables; return ;;` : listed}`,
    ]
  }
}

const pattern = (path: readonly string[]) => `'${path.join(' ')}'`

function nested(completables: readonly Completable[]): string {
  const paths = completables.filter(({ path }) => path.length > 1).map(({ path }) => `'${path.join(' ')}'`)
  return `    ${[...paths, "' '"].join('|')}) command="$words[2] $words[3]" ;;`
}

const described = (word: string, text: string) => single(`${word.replaceAll(':', '\\:')}:${text}`)
