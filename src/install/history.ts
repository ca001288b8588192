import { committedMigrations } from './migrations.ts'

/** A row of graphile-migrate's history. */
export type HistoryRow = { filename: string; hash: string }

/** Reads the history, oldest first. Everybody who uses graphile-migrate in a database shares it. */
export const historyQuery = 'select filename, hash from graphile_migrate.migrations order by filename'

/**
 * Whose history it is. Graphile-migrate runs what comes after the newest name in it: next to another project's, ours
 * would be skipped without a word.
 *
 * - behind: ours, and this version has migrations that the database has not
 * - newer: that of a newer version of ours
 * - foreign: that of another project
 */
export async function whoseHistory(
  rows: readonly HistoryRow[],
): Promise<'current' | 'behind' | 'newer' | 'foreign'> {
  const ours = (await committedMigrations()).map(({ hash }) => hash)
  if (rows.some(({ hash }) => !ours.includes(hash))) return rows[0]?.hash === ours[0] ? 'newer' : 'foreign'
  return rows.length < ours.length ? 'behind' : 'current'
}
