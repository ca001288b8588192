type ServerError = Error & { code?: string; detail?: string; hint?: string }

/** An error as lines for a person: the message, and what the server said about it. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `error: ${String(error)}`
  const { message, code, detail, hint } = error as ServerError
  const lines = [`error: ${message || connectionProblem(error)}`]
  if (detail) lines.push(`detail: ${detail}`)
  if (hint) lines.push(`hint: ${hint}`)
  else if (code === '3F000' || code === '42883') lines.push('hint: install it first: table-metrics migrate')
  return lines.join('\n')
}

// Node reports a refused connection to several addresses as an AggregateError without a message.
function connectionProblem(error: Error): string {
  const causes = error instanceof AggregateError ? error.errors : [error.cause]
  return causes.map((cause) => (cause instanceof Error ? cause.message : error.name)).join('; ')
}
