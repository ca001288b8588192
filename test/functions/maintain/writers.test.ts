import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { counts, maintained } from '../../_support/maintained.ts'

const writers = 4
const rounds = 60

test('while others write, roll back, truncate and fold, it is what count(*) shows in the same snapshot', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql`create table public.orders (id bigint generated always as identity, writer int, note text)`
  await sql`insert into public.orders (writer) select 0 from generate_series(1, 500)`
  const sessions = Array.from({ length: writers }, () => connect())
  const [maintainer, checker, folder] = [connect(), connect(), connect()] as [Sql, Sql, Sql]
  let isWriting = true
  const done = () => !isWriting

  const writing = Promise.all(sessions.map((session, writer) => write(session, writer))).finally(() => {
    isWriting = false
  })
  await maintainer`set lock_timeout = 0`
  await maintainer`select nms.maintain_count('public.orders')`
  await eventually(async () => {
    const [folded] = await maintainer`select * from nms.fold_counts()`
    return folded?.problem === null
  }, 'its rows are counted beside those who write and truncate')
  const folding = repeat(done, async () => {
    await folder`select nms.fold_counts()`
  })
  const wrong: [number, number, string][] = []
  let checks = 0
  const checking = repeat(done, async () => {
    await checker`begin isolation level repeatable read`
    // Before the snapshot: to an older one, count(*) of a truncated table is 0.
    await checker`lock table public.orders in access share mode`
    const first = await counts(checker, 'public.orders')
    const again = await counts(checker, 'public.orders', 'again')
    await checker`commit`
    for (const each of [first, again]) if (each[0] !== each[1]) wrong.push(each)
    if (first[0] !== again[0]) wrong.push(again)
    checks++
  })
  await Promise.all([writing, folding, checking])

  t.deepEqual(wrong, [])
  t.true(checks > 5, `${checks} checks`)
  t.deepEqual(...(await counts(sql, 'public.orders')))
  await sql`select nms.fold_counts()`
  t.deepEqual(...(await counts(sql, 'public.orders')))
})

test('two who fold at once neither wait nor count anything twice', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  await sql`insert into public.orders values (0)`
  const [one, other] = [connect(), connect()]
  await one`begin`
  const first = await one`select * from nms.fold_counts()`
  await sql`insert into public.orders values (-1)`
  const second = await other`select * from nms.fold_counts()`
  t.deepEqual(await counts(sql, 'public.orders'), [12, 12, ''])
  await one`commit`

  t.like([...first], [{ row_count: '11', deltas_folded: '1' }])
  t.deepEqual([...second], [])
  t.deepEqual(await counts(sql, 'public.orders'), [12, 12, ''])
})

test('what a writer has added up before a fold, and commits after it, is not believed', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  const writer = connect()
  await writer`begin`
  await writer`insert into public.orders values (100)`
  await writer`select nms_private.sum_up_deltas('public.orders'::regclass)`
  await sql`insert into public.orders values (200), (201)`
  await sql`select nms.fold_counts()`
  await writer`commit`

  t.deepEqual(await counts(sql, 'public.orders'), [13, 13, ''])
})

test('rows that were written before the triggers, and committed after, are waited for', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql`create table public.orders (id bigint)`
  const writer = connect()
  await writer`begin`
  await writer`insert into public.orders values (1)`
  await sql`update nms.table_metrics_settings set lock_timeout = '50 ms'`
  await t.throwsAsync(sql`select nms.maintain_count('public.orders')`, { code: '55P03' })
  await writer`commit`
  await sql`select nms.maintain_count('public.orders')`
  await sql`select nms.fold_counts()`
  t.deepEqual(await counts(sql, 'public.orders'), [1, 1, ''])
})

async function repeat(isDone: () => boolean, step: () => Promise<void>): Promise<void> {
  while (!isDone()) await step()
}

/** Some transactions: most are committed, some rolled back, a few truncate. Each has a pattern of its own. */
async function write(session: Sql, writer: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const step = round * writers + writer
    const level = step % 5 === 0 ? 'repeatable read' : 'read committed'
    const deleting = level === 'read committed' || step % 2 === 0
    try {
      await session.unsafe(`begin isolation level ${level}`)
      await session.unsafe(`
        do $$
        begin
          for i in 1..${50 + (step % 7) * 20} loop
            insert into public.orders (writer) values (${writer});
          end loop;
        end
        $$
      `)
      await session.unsafe(
        `savepoint one; insert into public.orders (writer) select ${writer} from generate_series(1, ${step % 9})`,
      )
      if (step % 3 === 0) await session.unsafe('rollback to one')
      if (deleting) {
        await session.unsafe(
          `delete from public.orders where id in (
            select id from public.orders where writer = ${writer} order by id limit ${step % 60}
          )`,
        )
      }
      await session.unsafe(step % 11 === 0 ? 'rollback' : 'commit')
      if (step % 67 === 0) await session.unsafe('truncate public.orders')
    } catch (error) {
      // Of two that delete under snapshots, or that truncate, one gives way.
      if (!/^40/.test((error as { code: string }).code)) throw error
      await session.unsafe('rollback')
    }
  }
}
