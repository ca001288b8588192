import { type Command, InvalidArgumentError, Option } from 'commander'
import { databaseUrl } from '../environment.ts'
import { createLog } from '../log.ts'
import { interruption } from '../terminal/interruption.ts'

type Options = {
  host: string
  port: number
  tokenFile?: string
  schema: string
  withWorker?: true
  crontab?: string
  log: 'json' | 'text'
}

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('answer over HTTP: the page for people, JSON for programs, metrics for Prometheus')
    .option('--host <address>', 'the address to listen on', '127.0.0.1')
    .addOption(
      new Option('--port <number>', 'the port to listen on; 0 for any that is free')
        .env('PORT')
        .argParser(readPort)
        .default(8787),
    )
    .option('--token-file <file>', 'who may ask: one token a line, trigger behind those that may post events')
    .option('--schema <name>', 'the schema of graphile-worker, where events queue runs', 'graphile_worker')
    .option('--with-worker', 'run the worker in this process as well')
    .option('--crontab <file>', "the worker's schedule; unless given, daily at 05:15 UTC")
    .addOption(
      new Option('--log <format>', 'how events are written').choices(['json', 'text']).default('text'),
    )
    .addHelpText('after', '\nExample:\n  table-metrics serve --port 8787')
    .action(async ({ host, port, tokenFile, schema, withWorker, crontab, log: format }: Options) => {
      if (crontab && !withWorker)
        throw new Error('--crontab: saw no worker that follows it: add --with-worker')
      const url = databaseUrl()
      // Loaded only now: fastify takes a while.
      const { serve } = await import('../serve/serve.ts')
      const { authenticationLog } = await import('../serve/authentication/log.ts')
      const { readAuthentication } = await import('../serve/authentication/settings.ts')
      const { requireMethodUnlessLoopback } = await import('../serve/authentication/loopback.ts')
      const log = createLog(format)
      const authentication = readAuthentication({ tokenFile, log: authenticationLog(log) })
      requireMethodUnlessLoopback(host, authentication)
      const serving = (signal: AbortSignal) =>
        serve({ databaseUrl: url, host, port, authentication, schema, log }, signal)
      if (withWorker) {
        const { defaultCrontab, readSchedule } = await import('../schedule/crontab.ts')
        const { withWorker: serveAndWork } = await import('../serve/with_worker.ts')
        const cronItems = readSchedule(crontab ?? defaultCrontab)
        await serveAndWork(serving, { databaseUrl: url, schema, cronItems, log, signal: interruption() })
      } else await serving(interruption())
      process.exitCode = 0
    })
}

function readPort(value: string): number {
  const port = Number(value)
  if (/^\d{1,5}$/.test(value) && port <= 65_535) return port
  throw new InvalidArgumentError(`saw ${value}, expected a number from 0 to 65535`)
}
