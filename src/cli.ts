#!/usr/bin/env node
import { Command } from 'commander'
import { addCollectCommand } from './commands/collect.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addMigrateCommand } from './commands/migrate.ts'
import { addSqlCommand } from './commands/sql.ts'
import { addWorkerCommand } from './commands/worker.ts'
import { runMain } from './errors.ts'

const program = new Command('table-metrics')
  .description('How many rows every table holds, every day. DATABASE_URL says in which database.')
  .showHelpAfterError('(type table-metrics --help)')

addMigrateCommand(program)
addSqlCommand(program)
addCollectCommand(program)
addWorkerCommand(program)
addDoctorCommand(program)

await runMain(() => program.parseAsync())
