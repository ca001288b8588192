import { visibleLines } from './terminal/visible.ts'

type ServerError = Error & { code?: string; detail?: string; hint?: string }

/** The SQLSTATE of an error, or what Node says of a connection. */
export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code
}

/** An error as lines for a person: the message, and what the server said about it. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `error: ${visibleLines(String(error))}`
  const { message, code, detail, hint } = error as ServerError
  const lines = [`error: ${visibleLines(message || connectionProblem(error))}`]
  if (detail) lines.push(`detail: ${visibleLines(detail)}`)
  // What Postgres advises where a function is missing is to add type casts.
  const advice = (code !== '42883' && hint) || remedies.find(([cause]) => cause.test(code ?? message))?.[1]
  if (advice) lines.push(`hint: ${visibleLines(advice)}`)
  return lines.join('\n')
}

/** Ends this process with a message for a person, whatever goes wrong in it. */
export async function runMain(main: () => Promise<unknown>): Promise<void> {
  // Such as a connection that breaks while nobody listens to it.
  process.once('uncaughtException', (error) => {
    console.error(describeError(error))
    process.exit(1)
  })
  try {
    await main()
  } catch (error) {
    console.error(describeError(error))
    process.exitCode = 1
  }
  // Such as psql, which reads on when it has executed what it has.
  if (process.stdout.writableLength > 0) {
    await new Promise((resolve) => process.stdout.write('', resolve))
  }
  // What a dead link keeps open must not keep this process.
  setTimeout(() => process.exit(), 500).unref()
}

// By SQLSTATE, code of the connection, or message where there is no code.
const remedies: [cause: RegExp, remedy: string][] = [
  [/^(3F000|42883|42P01|42703)$/, 'install or update it first: table-metrics migrate'],
  [/^42501$/, 'ask for the right: migrations/roles.sql has the roles that give it'],
  [
    /^(28|3D000|ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|CONNECT_)/,
    'check DATABASE_URL, and that the server runs',
  ],
  [/^(TLS with |ERR_TLS|ERR_SSL|CERT_|CRL_|DEPTH_|SELF_|UNABLE_)/, 'check sslmode, sslrootcert and sslcert'],
  [/^(57P|CONNECTION_|Connection terminated)/, "see the server's log, then run this again"],
]

// Node reports a refused connection to several addresses as an AggregateError without a message.
function connectionProblem(error: Error): string {
  const causes = error instanceof AggregateError ? error.errors : [error.cause]
  return causes.map((cause) => (cause instanceof Error ? cause.message : error.name)).join('; ')
}
