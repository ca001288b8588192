import type { Argument, Command, Option } from 'commander'
import { bash } from './completion/bash.ts'
import type { Completable, Flag } from './completion/completable.ts'
import { fish } from './completion/fish.ts'
import { zsh } from './completion/zsh.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** The hidden command that a shell asks for the names of tables. */
export const tablesCommand = 'complete-tables'

/** The script that makes a shell complete the commands of this program, their options, and names of tables. */
export function completionScript(program: Command, shell: Shell): string {
  return { bash, zsh, fish }[shell](program.name(), completables(program))
}

/** Every command, the program itself first. */
function completables(command: Command, path: string[] = []): Completable[] {
  const commands = command
    .createHelp()
    .visibleCommands(command)
    .filter((each) => each.name() !== 'help' || path.length === 0)
  const own = {
    path,
    description: command.description(),
    commands: commands.map((each) => ({ name: each.name(), description: each.description() })),
    words: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
    takesTable: command.registeredArguments.some(isTable),
    flags: command.createHelp().visibleOptions(command).flatMap(flagOf),
  }
  return [own, ...commands.flatMap((each) => completables(each, [...path, each.name()]))]
}

const isTable = (argument: Argument) => /table|^name$/.test(argument.name())

function flagOf({ long, flags, description, argChoices = [], required, optional }: Option): Flag[] {
  if (!long) return []
  const takesTable = /<.*table.*>|-table /.test(flags)
  return [{ flag: long, description, choices: argChoices, takesValue: required || optional, takesTable }]
}
