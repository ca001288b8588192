import { Argument, type Command } from 'commander'
import { completionScript, type Shell, shells } from '../terminal/completion.ts'
import { print } from '../terminal/output.ts'

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print the script with which a shell completes commands, options and names of tables')
    .addArgument(new Argument('<shell>', 'for which shell').choices(shells))
    .addHelpText(
      'after',
      '\nExample:\n  source <(table-metrics completion bash)\n  table-metrics completion fish | source',
    )
    .action((shell: Shell) => print(completionScript(program, shell).trimEnd()))
}
