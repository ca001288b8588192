import { type Command, InvalidArgumentError, Option } from 'commander'
import { readWebhook } from '../deliver/webhook.ts'
import { databaseUrl } from '../environment.ts'
import { createLog, type Log } from '../log.ts'
import { listedTables } from '../serve/metrics/listed_tables.ts'
import { interruption } from '../terminal/interruption.ts'

type Options = {
  host: string
  port: number
  tokenFile?: string
  origin: string[]
  metricsTable?: string[]
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
    .option(
      '--token-file <file>',
      'who may ask: one token a line, trigger behind those that may post events; unless given, SERVE_TOKENS_FILE',
    )
    .addOption(
      new Option(
        '--origin <origin...>',
        'pages of these sites may read, such as https://intranet.example.com',
      )
        .env('SERVE_ORIGINS')
        .argParser(readOrigins)
        .default([], 'none'),
    )
    .option(
      '--metrics-table <name...>',
      'tables with a series of their own in /metrics; unless given, those of SERVE_METRICS_TABLES, a JSON array',
    )
    .option('--schema <name>', 'the schema of graphile-worker, where events queue runs', 'graphile_worker')
    .option('--with-worker', 'run the worker in this process as well')
    .option('--crontab <file>', "the worker's schedule; unless given, daily at 05:15 UTC")
    .addOption(
      new Option('--log <format>', 'how events are written').choices(['json', 'text']).default('text'),
    )
    .addHelpText('after', '\nExample:\n  table-metrics serve --port 8787')
    .action(async ({ log: format, ...options }: Options) => {
      await startServing(options, createLog(format))
      process.exitCode = 0
    })
}

async function startServing(
  { host, port, tokenFile, origin: origins, metricsTable, schema, withWorker, crontab }: Omit<Options, 'log'>,
  log: Log,
): Promise<void> {
  if (crontab && !withWorker) {
    throw new Error('--crontab: saw no worker that follows it: add --with-worker')
  }
  const url = databaseUrl()
  const metricsTables = listedTables(metricsTable, process.env.SERVE_METRICS_TABLES)
  // Loaded only now: fastify takes a while.
  const { serve, serveAlone } = await import('../serve/serve.ts')
  const { authenticationLog } = await import('../serve/authentication/log.ts')
  const { readAuthentication } = await import('../serve/authentication/settings.ts')
  const authentication = readAuthentication({ tokenFile, log: authenticationLog(log) })
  const options = { databaseUrl: url, host, port, origins, authentication, metricsTables, schema, log }
  if (!withWorker) return serveAlone(options, interruption())
  const { defaultCrontab, readSchedule } = await import('../schedule/crontab.ts')
  const { withWorker: serveAndWork } = await import('../serve/with_worker.ts')
  const cronItems = readSchedule(crontab ?? defaultCrontab)
  const webhook = readWebhook()
  const serving = (signal: AbortSignal) => serve(options, signal)
  await serveAndWork(serving, { databaseUrl: url, schema, cronItems, log, webhook, signal: interruption() })
}

function readPort(value: string): number {
  const port = Number(value)
  if (/^\d{1,5}$/.test(value) && port <= 65_535) return port
  throw new InvalidArgumentError(`saw ${value}, expected a number from 0 to 65535`)
}

function readOrigins(value: string, before: string[]): string[] {
  const given = value.split(/[\s,]+/).filter((each) => each !== '')
  for (const origin of given) {
    const url = URL.parse(origin)
    if (url && /^https?:$/.test(url.protocol) && url.origin === origin) continue
    throw new InvalidArgumentError(
      `saw ${origin}, expected the origin of a site, such as https://intranet.example.com`,
    )
  }
  return [...before, ...given]
}
