import { type Command, InvalidArgumentError, Option } from 'commander'
import { databaseUrl } from '../environment.ts'
import { createLog } from '../log.ts'
import { interruption } from '../terminal/interruption.ts'

type Options = { host: string; port: number; log: 'json' | 'text' }

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
    .addOption(
      new Option('--log <format>', 'how events are written').choices(['json', 'text']).default('text'),
    )
    .addHelpText('after', '\nExample:\n  table-metrics serve --port 8787')
    .action(async ({ host, port, log: format }: Options) => {
      const url = databaseUrl()
      // Loaded only now: fastify takes a while.
      const { serve } = await import('../serve/serve.ts')
      const log = createLog(format)
      await serve({ databaseUrl: url, host, port, authentication: undefined, log }, interruption())
      process.exitCode = 0
    })
}

function readPort(value: string): number {
  const port = Number(value)
  if (/^\d{1,5}$/.test(value) && port <= 65_535) return port
  throw new InvalidArgumentError(`saw ${value}, expected a number from 0 to 65535`)
}
