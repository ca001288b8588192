import type postgres from 'postgres'
import { fixtures, isReleased } from './checkout.ts'
import { differences, fingerprint } from './fingerprint.ts'
import { load } from './load.ts'
import type { Pending } from './pending.ts'
import { rolesScript } from './roles.ts'
import { fixtureScript } from './script.ts'

/**
 * Loads what is pending over the migrations before it, twice, and each fixture by itself.
 *
 * @returns the fingerprint of the database afterwards, with the roles
 * @throws at the first thing that would not do, with file and line where there is one
 */
export async function rehearse(sql: postgres.Sql, { before, script }: Pending): Promise<string[]> {
  for (const body of before) await sql.begin((transaction) => transaction.unsafe(body))

  await sql.begin((transaction) => load(transaction, script))
  const once = await fingerprint(sql)
  await sql
    .begin((transaction) => load(transaction, script))
    .catch((error) => {
      throw Object.assign(error, { message: `${error.message} (when it was loaded a second time)` })
    })
  const changed = differences(once, await fingerprint(sql))
  if (changed.length > 0)
    throw new Error(`loading it a second time changes something:\n${changed.join('\n')}`)

  await refuseLeftovers(sql)
  await sql.begin((transaction) => load(transaction, rolesScript()))
  return fingerprint(sql)
}

/** Loads every fixture with the bodies of functions checked: what none of them makes is left over from before. */
async function refuseLeftovers(sql: postgres.Sql): Promise<void> {
  const undone = new Error('undone')
  let left: { kind: string; object: string }[] = []
  await sql
    .begin(async (transaction) => {
      for (const name of fixtures()) await load(transaction, fixtureScript(name))
      left = await transaction.unsafe<{ kind: string; object: string }[]>(leftovers)
      throw undone
    })
    .catch((error) => {
      if (error !== undone) throw error
    })
  if (left.length === 0) return
  const drops = left.map(({ kind, object }) => `drop ${kind} ${object};`)
  throw isReleased()
    ? Object.assign(
        new Error(`released, and made by no file any more: ${left.map(({ object }) => object).join(', ')}`),
        {
          hint: `write into current.sql, before what needs it gone: ${drops.join(' ')}`,
        },
      )
    : Object.assign(new Error(`made by no file of its own: ${left.map(({ object }) => object).join(', ')}`), {
        hint: 'functions and views are written in migrations/fixtures, one in each file, named after it',
      })
}

// "create or replace" writes the row anew, whether or not anything is different.
const leftovers = `
  select 'function' as kind, oid::regprocedure::text as object
  from pg_proc
  where
    pronamespace in (select oid from pg_namespace where nspname in ('nms', 'nms_private'))
    and xmin <> pg_current_xact_id()::xid
  union all
  select 'view', pg_class.oid::regclass::text
  from pg_class
  join pg_rewrite on pg_rewrite.ev_class = pg_class.oid
  where
    relnamespace in (select oid from pg_namespace where nspname in ('nms', 'nms_private'))
    and relkind = 'v'
    and pg_rewrite.xmin <> pg_current_xact_id()::xid
  order by 1, 2
`
