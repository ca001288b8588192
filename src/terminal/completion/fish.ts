import { type Completable, identifier, single } from './completable.ts'

/** No name of a table is ever evaluated: fish quotes what it inserts. */
export function fish(name: string, completables: readonly Completable[]): string {
  const tables = `(__${identifier(name)}_tables)`
  const lines = completables.flatMap(({ path, commands, words, takesTable, flags }) => {
    const isHere = path.length === 0 ? '__fish_use_subcommand' : seen(path, commands)
    const used = `complete -c ${name} -n ${single(isHere)}`
    return [
      ...commands.map((each) => `${used} -f -a ${each.name} -d ${single(each.description)}`),
      ...words.map((word) => `${used} -f -a ${word}`),
      ...(takesTable ? [`${used} -f -a ${single(tables)}`] : []),
      ...flags.map(({ flag, description, choices, takesValue, takesTable: ofTables }) =>
        [
          `${used} -l ${flag.slice(2)}`,
          ...(ofTables
            ? [`-x -a ${single(tables)}`]
            : choices.length > 0
              ? [`-x -a ${single(choices.join(' '))}`]
              : takesValue
                ? ['-r']
                : []),
          `-d ${single(description)}`,
        ].join(' '),
      ),
    ]
  })
  return `
function __${identifier(name)}_tables
  set -l beginning (commandline -ct | string trim --left --chars="'\\"" | string unescape)
  if command -q ${name}
    command ${name} complete-tables -- "$beginning" 2>/dev/null </dev/null
  else
    npx --no-install ${name} complete-tables -- "$beginning" 2>/dev/null </dev/null
  end
end
${lines.join('\n')}
complete -c npx -f -n "string match -qr '^npx (-\\S+ )*${name} ' -- (commandline -cp)" -a "(complete -C (string replace -r '^npx (-\\S+ )*' '' -- (commandline -cp)))"
`.trimStart()
}

function seen(path: readonly string[], commands: Completable['commands']): string {
  const all = path.map((word) => `__fish_seen_subcommand_from ${word}`)
  const none =
    commands.length > 0
      ? [`not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(' ')}`]
      : []
  return [...all, ...none].join('; and ')
}
