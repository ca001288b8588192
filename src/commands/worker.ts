import { type Command, Option } from 'commander'
import { readWebhook } from '../deliver/webhook.ts'
import { databaseUrl } from '../environment.ts'
import { createLog } from '../log.ts'
import { interruption } from '../terminal/interruption.ts'

type Options = { once?: true; crontab?: string; digest?: 'weekly'; schema: string; log: 'json' | 'text' }

export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run the schedule, and what graphile_worker.add_job asks for, until it is stopped')
    .option(
      '--once',
      'run what is due, also what was missed, and stop; exit status 0 only if all of it ended well',
    )
    .option('--crontab <file>', 'the schedule; unless given, daily at 05:15 UTC')
    .addOption(
      new Option(
        '--digest <how often>',
        'tell ALERT_WEBHOOK_URL of the past week, on Mondays at 07:00 UTC',
      ).choices(['weekly']),
    )
    .option(
      '--schema <name>',
      'the schema of graphile-worker, installed when it is missing',
      'graphile_worker',
    )
    .addOption(
      new Option('--log <format>', 'how events are written').choices(['json', 'text']).default('text'),
    )
    .addHelpText(
      'after',
      '\nExample:\n  table-metrics worker --crontab /etc/table-metrics/crontab --log json',
    )
    .action(async ({ once, crontab, digest, schema, log: format }: Options) => {
      const url = databaseUrl()
      const webhook = readWebhook()
      if (digest && !webhook)
        throw new Error('--digest: ALERT_WEBHOOK_URL is not set, expected where it is sent')
      // Loaded only now: graphile-worker takes a while.
      const { defaultCrontab, readSchedule, weeklyDigest } = await import('../schedule/crontab.ts')
      const { runWorker, runWorkerOnce } = await import('../worker/worker.ts')
      const cronItems = [...readSchedule(crontab ?? defaultCrontab), ...(digest ? weeklyDigest() : [])]
      const signal = interruption()
      const options = { databaseUrl: url, schema, cronItems, log: createLog(format), webhook, signal }
      if (once) process.exitCode = (await runWorkerOnce(options)) ? 0 : 1
      else {
        await runWorker(options)
        process.exitCode = 0
      }
    })
}
