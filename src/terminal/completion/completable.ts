/** What can be completed behind a command. */
export interface Completable {
  /** How it is typed behind the name of the program, such as `['alerts', 'silence']`. */
  path: readonly string[]
  description: string
  commands: readonly { name: string; description: string }[]
  /** What its arguments may be, where there is a list. */
  words: readonly string[]
  /** True when it takes the name of a table. */
  takesTable: boolean
  flags: readonly Flag[]
}

export interface Flag {
  flag: string
  description: string
  choices: readonly string[]
  takesValue: boolean
  takesTable: boolean
}

/** For the name of a function of a shell. */
export const identifier = (name: string) => name.replaceAll('-', '_')

/** In single quotes, for any shell. */
export const single = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
