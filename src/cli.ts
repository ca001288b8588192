#!/usr/bin/env node
import { Command } from 'commander'
import { addAlertsCommand } from './commands/alerts.ts'
import { isCheck, runForMonitor } from './commands/check.ts'
import { addCollectCommand } from './commands/collect.ts'
import { addCompleteTablesCommand } from './commands/complete_tables.ts'
import { addCompletionCommand } from './commands/completion.ts'
import { addDailyCommand } from './commands/daily.ts'
import { addDiffCommand } from './commands/diff.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addExportCommand } from './commands/export.ts'
import { addForecastCommand } from './commands/forecast.ts'
import { addGrowthCommand } from './commands/growth.ts'
import { addMigrateCommand } from './commands/migrate.ts'
import { addPruneCommand } from './commands/prune.ts'
import { addRebuildCommand } from './commands/rebuild.ts'
import { addReportCommand } from './commands/report.ts'
import { addServeCommand } from './commands/serve.ts'
import { addSqlCommand } from './commands/sql.ts'
import { addStatusCommand } from './commands/status.ts'
import { addTestWebhookCommand } from './commands/test_webhook.ts'
import { addTrendCommand } from './commands/trend.ts'
import { tellUsageErrors } from './commands/usage.ts'
import { addWorkerCommand } from './commands/worker.ts'
import { runMain } from './errors.ts'
import { packageVersion } from './version.ts'

const program = new Command('table-metrics')
  .description('How many rows every table holds, every day. DATABASE_URL says in which database.')
  .version(packageVersion(), '--version', 'print the version of this program')

addMigrateCommand(program)
addSqlCommand(program)
addCollectCommand(program)
addWorkerCommand(program)
addServeCommand(program)
addDoctorCommand(program)
addStatusCommand(program)
addDailyCommand(program)
addTrendCommand(program)
addForecastCommand(program)
addGrowthCommand(program)
addDiffCommand(program)
addAlertsCommand(program)
addTestWebhookCommand(program)
addRebuildCommand(program)
addPruneCommand(program)
addReportCommand(program)
addExportCommand(program)
addCompletionCommand(program)
addCompleteTablesCommand(program)

tellUsageErrors(program)

if (isCheck(process.argv.slice(2))) await runForMonitor(program)
else await runMain(() => program.parseAsync())
