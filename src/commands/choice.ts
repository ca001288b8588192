import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Choice } from '../reading/choice.ts'
import { repeatable, wholeNumber } from './arguments.ts'

/** The options with which tables are chosen by their names. */
export interface NameOptions {
  schema: string[]
  like?: string
}

/** The same, and how many. */
export interface TopOptions extends NameOptions {
  top?: number
}

/** The options with which tables are chosen and sorted. */
export interface ChoiceOptions extends TopOptions {
  only?: string[]
  minRows?: number
  sort?: string
}

/** What may have become of a table. */
export const outcomes = [
  'grew',
  'shrank',
  'appeared',
  'disappeared',
  'unchanged',
  'unclear',
  'not counted',
  'left out',
]

/** Adds the options that choose tables by their names. */
export function addNameOptions(command: Command, what = 'tables'): Command {
  return command
    .option('--schema <name>', `only ${what} of that schema; may be repeated`, repeatable, [])
    .option('--like <text>', `only ${what} whose schema.table has this text in it, in upper or lower case`)
}

/** Adds the options that choose alerts by their tables. */
export function addAlertOptions(command: Command): Command {
  return addNameOptions(command, 'alerts').option(
    '--top <n>',
    'only the first so many alerts',
    wholeNumber(99999),
  )
}

/** Adds the options that choose tables and put them in order. */
export function addChoiceOptions(command: Command, sorted: 'rows' | 'change'): Command {
  return addNameOptions(command)
    .option(
      '--only <what>',
      `only tables that did so: ${outcomes.join(', ')}; several with commas`,
      readOutcomes,
    )
    .option(
      '--min-rows <n>',
      'only tables with so many rows, now or before',
      wholeNumber(Number.MAX_SAFE_INTEGER),
    )
    .addOption(
      new Option('--sort <by>', `what comes first; unless it is named, ${sorted}`).choices([
        'rows',
        'change',
        'percent',
        'name',
      ]),
    )
    .option('--top <n>', 'only the first so many of them', wholeNumber(99999))
}

/** What the server is to choose; nothing where no option says anything. */
export function choiceOf({ schema, like, only, minRows, sort, top }: ChoiceOptions): Choice {
  return {
    ...(schema.length > 0 && { schemas: schema }),
    ...(like !== undefined && { like }),
    ...(only && { only }),
    ...(minRows !== undefined && { min_rows: minRows }),
    ...(sort !== undefined && { sort }),
    ...(top !== undefined && { top }),
  }
}

function readOutcomes(value: string): string[] {
  const words = value.split(',').map((word) => word.trim().replace('-', ' '))
  if (words.every((word) => outcomes.includes(word))) return words
  throw new InvalidArgumentError(`saw ${value}, expected ${outcomes.join(', ')}, several with commas between`)
}
