import type { Sql } from '../connection/database.ts'
import { outputWidth, paint } from '../terminal/output.ts'
import { visible } from '../terminal/visible.ts'
import { firstOf, nameOf, type Table } from './tables.ts'

/** What the server reports of the alert rules. */
export interface RulesReport {
  rules: Rule[]
  defaults: { decides: string[] }
}

interface Rule {
  /** What it is for, such as `sales.orders` or `sales.* (drop)`. */
  named: string
  decides: string[]
  comment: string | null
}

/** The same for one table. */
export interface TableRulesReport extends Table {
  kinds: { kind: string; decides: { in_words: string; rule: string | null }[] }[]
}

/** The rules as JSON rendered by the server; of one table those that fit it, and what they decide. */
export async function readRules(sql: Sql, table?: Table): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select nms.alert_rules_report(${table?.schema_name ?? null}, ${table?.table_name ?? null})::text as json
  `
  return row.json
}

/** What each rule decides, the most specific first. */
export function describeRules({ rules, defaults }: RulesReport): string {
  const [shown, more] = firstOf(rules, (count) => `${count} others: --json prints them all`)
  return [
    ...shown.map(({ named, decides, comment }) =>
      wrapped(named, [...decides, ...(comment === null ? [] : [`“${comment}”`])]),
    ),
    ...more,
    wrapped('by default', defaults.decides),
  ].join('\n')
}

/** What is decided about each kind of alert, and by which rule. */
export function describeDecisions(report: TableRulesReport): string {
  return [
    paint('bold', visible(nameOf(report))),
    ...report.kinds.map(({ kind, decides }) =>
      wrapped(
        kind,
        decides.map(({ in_words, rule }) => (rule === null ? in_words : `${in_words} (by ${rule})`)),
      ),
    ),
    'without a name in brackets: the default',
  ].join('\n')
}

/** A name and what is said of it; lines that go on are indented. */
function wrapped(name: string, parts: string[]): string {
  const lines: string[] = []
  let line = `${visible(name)}:`
  for (const [n, part] of parts.entries()) {
    const next = ` ${visible(part)}${n < parts.length - 1 ? ';' : ''}`
    if (line.length + next.length > outputWidth() && line.trim() !== '') {
      lines.push(line)
      line = ` ${next}`
    } else line += next
  }
  return [...lines, line].join('\n')
}
