import type { Command } from 'commander'
import { visibleLines } from '../terminal/visible.ts'

/** Lets every command tell in one line what was seen and what is expected, and name its own help. */
export function tellUsageErrors(program: Command): void {
  const configure = (command: Command, name: string) => {
    command
      .showHelpAfterError(`(type ${name} --help)`)
      .configureOutput({ outputError: (text, write) => write(`${visibleLines(inOurWords(text))}\n`) })
    for (const each of command.commands) configure(each, `${name} ${each.name()}`)
  }
  configure(program, program.name())
}

// Commander repeats the value, which stands in what the reader of the argument says, too.
const malformed =
  /^error: (?:option '(?:-\w, )?(?<option>--[\w-]+).*?' argument|command-argument value) '(?<value>.*)' is invalid(?: for argument '(?<argument>.*?)')?\. (?<said>saw .*|Allowed choices are .*)$/s

function inOurWords(text: string): string {
  const { option, argument, value, said = '' } = malformed.exec(text)?.groups ?? {}
  const what = option ?? argument
  if (what === undefined) return text
  const choices = /^Allowed choices are (.*)\.\s*$/s.exec(said)?.[1]
  return `error: ${what}: ${choices ? `saw ${value}, expected ${choices.replace(/, (?=[^,]*$)/, ' or ')}` : said}`
}
