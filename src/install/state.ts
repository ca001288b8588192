import type { Sql } from '../connection/database.ts'
import { committedMigrations } from './migrations.ts'

/**
 * What an install is made of: when the last migration was made, and a hash of its SQL. Every migration writes it behind
 * the comment of the schema nms_private, where everybody may read it and nothing is executed for that.
 */
export interface State {
  /** In UTC, such as `2026-11-20T05:15:00Z`: a later one is newer. */
  madeAt: string
  hash: string
}

/** The state that a comment, or the SQL of a migration, tells; undefined when it tells none. */
export function stateIn(text: string): State | undefined {
  const [, madeAt, hash] = /\bState (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ([0-9a-f]{12})\./.exec(text) ?? []
  return madeAt && hash ? { madeAt, hash } : undefined
}

/** The state of this package. */
async function ownState(): Promise<State | undefined> {
  return stateIn((await committedMigrations()).at(-1)?.body ?? '')
}

/** Why an install is not one for this version, and what to type. */
export interface StateProblem {
  problem: string
  remedy: string
}

/**
 * What is wrong with an install; null when it is of this version.
 *
 * @param comment that of the schema nms_private; null when it has none
 */
export async function stateProblem(comment: string | null): Promise<StateProblem | null> {
  const [installed, own] = [stateIn(comment ?? ''), await ownState()]
  if (!own || installed?.hash === own.hash) return null
  if (!installed || installed.madeAt < own.madeAt) return problemOf('an older', migrating)
  if (installed.madeAt > own.madeAt) return problemOf('a newer', updating)
  return problemOf('another', `${migrating}, or ${updating}`)
}

const migrating = 'table-metrics migrate'
const updating = 'npm install nms-table-metrics@latest'

const problemOf = (which: string, remedy: string) => ({
  problem: `this database has ${which} version of table metrics than this command line`,
  remedy,
})

/** The same in one sentence. */
export const inASentence = ({ problem, remedy }: StateProblem) => `${problem}: type ${remedy}`

/** Looks once at the install of a database. Where nothing is installed, whatever comes next says so. */
export async function readStateProblem(sql: Sql): Promise<StateProblem | null> {
  const [schema] = await sql<[{ comment: string | null }?]>`
    select obj_description(schema.oid, 'pg_namespace') as comment
    from pg_namespace as schema
    where schema.nspname = 'nms_private'
  `
  return schema ? stateProblem(schema.comment) : null
}

/** @throws when the install is not of this version: what is wrong with it and what to type, in one sentence */
export async function expectOwnState(sql: Sql): Promise<void> {
  const problem = await readStateProblem(sql)
  if (problem) throw new Error(inASentence(problem))
}
