import type { Command } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** The script that makes a shell complete the commands of this program and their options. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = program.createHelp().visibleCommands(program)
  return scripts[shell](program.name(), commands)
}

const scripts: Record<Shell, (name: string, commands: Command[]) => string> = {
  bash: (name, commands) =>
    `
_${identifier(name)}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words=
  case \${COMP_CWORD}:\${COMP_WORDS[1]}:$before in
    1:*) words=${quoted(commands.map((command) => command.name()))} ;;
${commands
  .flatMap((command) => [
    ...choicesOf(command).map(
      ({ flag, choices }) => `    *:${command.name()}:${flag}) words=${quoted(choices)} ;;`,
    ),
    `    *:${command.name()}:*) words=${quoted([...argumentsOf(command), ...flagsOf(command).map(({ flag }) => flag)])} ;;`,
  ])
  .join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _${identifier(name)} ${name}
`.trimStart(),

  zsh: (name, commands) =>
    `
#compdef ${name}
_${identifier(name)}() {
  local -a words_of
  if (( CURRENT == 2 )); then
    words_of=(
${commands.map((command) => `      ${described(command.name(), command.description())}`).join('\n')}
    )
  else
    case $words[2]:$words[CURRENT-1] in
${commands
  .flatMap((command) => [
    ...choicesOf(command).map(
      ({ flag, choices }) => `      ${command.name()}:${flag}) words_of=(${choices.join(' ')}) ;;`,
    ),
    `      ${command.name()}:*) words_of=(
${[
  ...argumentsOf(command).map((word) => `        ${word}`),
  ...flagsOf(command).map(({ flag, description }) => `        ${described(flag, description)}`),
].join('\n')}
      ) ;;`,
  ])
  .join('\n')}
    esac
  fi
  _describe ${name} words_of || _files
}
compdef _${identifier(name)} ${name}
`.trimStart(),

  fish: (name, commands) =>
    `${commands
      .flatMap((command) => {
        const used = `-n '__fish_seen_subcommand_from ${command.name()}'`
        return [
          `complete -c ${name} -f -n __fish_use_subcommand -a ${command.name()} -d ${single(command.description())}`,
          ...argumentsOf(command).map((word) => `complete -c ${name} -f ${used} -a ${word}`),
          ...flagsOf(command).map(({ flag, description, choices, takesValue }) =>
            [
              `complete -c ${name} ${used} -l ${flag.slice(2)}`,
              ...(choices.length > 0 ? [`-x -a ${single(choices.join(' '))}`] : takesValue ? ['-r'] : []),
              `-d ${single(description)}`,
            ].join(' '),
          ),
        ]
      })
      .join('\n')}\n`,
}

interface Flag {
  flag: string
  description: string
  choices: readonly string[]
  takesValue: boolean
}

function flagsOf(command: Command): Flag[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, description, argChoices = [], required, optional }) =>
      long ? [{ flag: long, description, choices: argChoices, takesValue: required || optional }] : [],
    )
}

const choicesOf = (command: Command) => flagsOf(command).filter(({ choices }) => choices.length > 0)

const argumentsOf = (command: Command) =>
  command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices)

const identifier = (name: string) => name.replaceAll('-', '_')

const quoted = (words: readonly string[]) => `'${words.join(' ')}'`

const single = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

const described = (word: string, text: string) => single(`${word.replaceAll(':', '\\:')}:${text}`)
