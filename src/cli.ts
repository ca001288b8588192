#!/usr/bin/env node
import { Command } from 'commander'
import { addCollectCommand } from './commands/collect.ts'
import { addMigrateCommand } from './commands/migrate.ts'
import { addSqlCommand } from './commands/sql.ts'
import { runMain } from './errors.ts'

const program = new Command('table-metrics')
  .description('How many rows every table holds, every day. DATABASE_URL says in which database.')
  .showHelpAfterError('(type table-metrics --help)')

addMigrateCommand(program)
addSqlCommand(program)
addCollectCommand(program)

await runMain(() => program.parseAsync())
