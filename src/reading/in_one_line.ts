interface Missing {
  code?: string
  message: string
  detail?: string
  hint?: string
}

/**
 * The answer to a question about the history. That something is not there is said in one line, with what
 * to type instead of the SQL that the server suggests.
 *
 * @param command what to type with another day, such as `table-metrics daily`
 */
export async function inOneLine<T>(command: string, answer: PromiseLike<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const { code, message, detail, hint = '' } = error as Missing
    if (code !== 'P0002') throw error
    const [nearest] = /\d{4,}-\d\d-\d\d/.exec(hint) ?? []
    const type = nearest
      ? `${command} ${nearest}`
      : hint.includes('nms.collect_table_metrics')
        ? 'table-metrics collect'
        : 'table-metrics status to see more'
    throw new Error([message, [...(detail ? [detail] : []), `type ${type}`].join(', ')].join(': '))
  }
}
