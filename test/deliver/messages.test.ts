import test from 'ava'
import { collectRows, createShop, refuseToCount } from '../_support/alert_shop.ts'
import { createDatabase, type Sql } from '../_support/database.ts'
import { writeRuns } from '../_support/history.ts'

type Alert = { kind: string; tables: string[]; row_count: number }
interface Body {
  type: string
  data: { run: Record<string, unknown>; opened: Alert[]; closed: Alert[] }
}

const write = async (sql: Sql) =>
  (await sql<{ about: string }[]>`select nms_private.write_messages() as about`).map(({ about }) => about)
const bodyOf = async (sql: Sql, about: string) => {
  const [row] = await sql<{ body: Body | null }[]>`
    select body from nms_private.messages where about = ${about}
  `
  return row?.body
}
const take = async (sql: Sql, about: string) => {
  const [row] = await sql<[{ state: string; message_id: string | null; ticket: string | null }]>`
    select state, message_id, ticket from nms_private.take_message(${about})
  `
  return row
}
const settle = (
  sql: Sql,
  { ticket }: { ticket: string | null },
  problem: string | null = null,
  isFinal = false,
) => sql`select nms_private.settle_message(${ticket}, ${problem}, ${isFinal})`

test('a run that opens an alert is told once, and so is the run that closes it', async (t) => {
  const { sql } = await createShop(t)
  const opening = await collectRows(sql, 0)
  t.deepEqual(await write(sql), [`run ${opening.run_id}`])
  t.deepEqual(await write(sql), [`run ${opening.run_id}`], 'it waits to be sent')
  const closing = await collectRows(sql, 100)
  const quiet = await collectRows(sql, 100)

  t.deepEqual(await write(sql), [`run ${opening.run_id}`, `run ${closing.run_id}`])

  const { type, data } = (await bodyOf(sql, `run ${opening.run_id}`)) as Body
  t.is(type, 'run.succeeded')
  t.deepEqual(
    data.opened.map(({ kind, tables, row_count }) => ({ kind, tables, row_count })),
    [{ kind: 'dropped_to_zero', tables: ['public.orders'], row_count: 0 }],
  )
  t.deepEqual(data.closed, [])
  const closed = ((await bodyOf(sql, `run ${closing.run_id}`)) as Body).data
  t.deepEqual(closed.opened, [])
  t.like(closed.closed[0], { kind: 'dropped_to_zero', closed_by_run: Number(closing.run_id) })
  t.is(await bodyOf(sql, `run ${quiet.run_id}`), null)
})

test('three hundred new tables are one line of a message', async (t) => {
  const { sql } = await createShop(t)
  await sql.unsafe(`
    create schema many;
    do $$ begin
      for n in 1 .. 300 loop execute format('create table many.t%s ()', n); end loop;
    end $$;
  `)
  const run = await collectRows(sql, 100)
  await write(sql)

  const { opened } = ((await bodyOf(sql, `run ${run.run_id}`)) as Body).data

  t.is(opened.length, 1)
  t.like(opened[0], { kind: 'table_new', schema_name: 'many', alerts: 300 })
})

test('a failure is told, its repetition by a retry is not, another reason is, and the success after it', async (t) => {
  const db = await createShop(t)
  const { sql } = db
  await collectRows(sql, 100)
  await write(sql)
  await refuseToCount(db, 'public.lines')
  const fails = async () => {
    const [run] = await sql<[{ run_id: string; status: string }]>`
      select run_id, status from nms.collect_table_metrics()
    `
    t.is(run.status, 'FAILED')
    return `run ${run.run_id}`
  }

  const first = await fails()
  const second = await fails()

  t.deepEqual(await write(sql), [first])
  t.is(await bodyOf(sql, second), null)
  t.regex(String((await bodyOf(sql, first))?.data.run.error_message), /public\.lines \(55P03/)
  const [other] = await sql<[{ run_id: string }]>`select run_id from nms.collect_table_metrics('{}')`
  t.true((await write(sql)).includes(`run ${other.run_id}`))
  const success = await sql<[{ run_id: string }]>`
    select run_id from nms.collect_table_metrics(exclude => '["public.lines"]')
  `
  await write(sql)
  t.like((await bodyOf(sql, `run ${success[0].run_id}`))?.data.run, {
    status: 'SUCCEEDED',
    is_after_failure: true,
  })
})

test('where a webhook is new, only the last run is told, and never one of more than a day ago', async (t) => {
  const db = await createShop(t)
  const { sql } = db
  await collectRows(sql, 0)
  const last = await sql<[{ run_id: string }]>`select run_id from nms.collect_table_metrics('{}')`
  t.deepEqual(await write(sql), [`run ${last[0].run_id}`])

  await sql`update nms_private.messages set written_at = now() - interval '10 days', sent_at = now()`
  const [{ today }] = await sql<[{ today: string }]>`select nms.business_date()::text as today`
  const old = await writeRuns(sql, [{ day: -2, status: 'FAILED' }], today)
  t.false((await write(sql)).includes(`run ${old}`))
})

test('imported counts are told to nobody', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`select nms.import_run(nms.business_date(), '{"public": {"orders": 5}}')`
  t.deepEqual(await write(sql), [])
})

test('a missing result is told once, and the run that makes up for it tells that it is closed', async (t) => {
  const { sql } = await createDatabase(t)
  const [{ today }] = await sql<[{ today: string }]>`select nms.business_date()::text as today`
  await writeRuns(sql, [{ day: -2, at: '00:00:01', counts: { 'public.orders': 5 } }], today)
  t.deepEqual(await write(sql), [])
  await sql`select nms_private.record_missing_run()`

  const [about = ''] = await write(sql)

  t.regex(about, /^alert \d+$/)
  const body = await bodyOf(sql, about)
  t.is(body?.type, 'run.late')
  t.like(body?.data.opened[0], { kind: 'run_late' })
  const [run] = await sql<[{ run_id: string }]>`select run_id from nms.collect_table_metrics()`
  t.deepEqual(await write(sql), [about, `run ${run.run_id}`])
  t.true(
    (await bodyOf(sql, `run ${run.run_id}`))?.data.closed.some(
      ({ kind }: { kind: string }) => kind === 'run_late',
    ),
  )
})

test('one caller sends a message; what it has taken for a minute, another one may take', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 0)
  const [about = ''] = await write(sql)

  const first = await take(sql, about)
  t.is(first.state, 'taken')
  t.like(await take(sql, about), { state: 'busy', ticket: null })
  await sql`update nms_private.messages set taken_at = taken_at - interval '61 s'`
  const second = await take(sql, about)
  t.like(second, { state: 'taken', message_id: first.message_id }, 'with the same id')
  await settle(sql, second, 'it answered 500')
  const third = await take(sql, about)
  t.like(third, { state: 'taken', message_id: first.message_id }, 'it is tried again')
  await settle(sql, third)
  t.like(await take(sql, about), { state: 'done', message_id: null })
  t.deepEqual(await write(sql), [])
})

test('nobody says how the sending went but who has taken the message last', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 0)
  const [about = ''] = await write(sql)
  await settle(sql, { ticket: null })
  t.deepEqual(await write(sql), [about])
  const late = await take(sql, about)
  await sql`update nms_private.messages set taken_at = taken_at - interval '61 s'`
  const second = await take(sql, about)

  await settle(sql, late, 'stopped', true)
  await settle(sql, { ticket: late.message_id })

  t.is((await take(sql, about)).state, 'busy')
  await settle(sql, second, 'it answered 500')
  await settle(sql, second)
  t.deepEqual(await write(sql), [about], 'a ticket is good for one answer')
})

test('what no try helps is given up, and so is what could not be sent for three days', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 0)
  const [about = ''] = await write(sql)
  await settle(sql, await take(sql, about), 'it answered 404', true)
  t.deepEqual(await write(sql), [])
  t.is((await take(sql, about)).state, 'done')

  await sql`update nms_private.messages set given_up_at = null, written_at = now() - interval '73 h'`
  t.deepEqual(await write(sql), [])
})

test('what is given up while somebody sends it is done for all others, and sent when it arrives all the same', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 0)
  const [about = ''] = await write(sql)
  const sender = await take(sql, about)
  await sql`update nms_private.messages set written_at = now() - interval '73 h'`
  t.deepEqual(await write(sql), [])

  t.is((await take(sql, about)).state, 'done')

  const [given] = await sql`select given_up_at, taken_at from nms_private.messages where about = ${about}`
  t.truthy(given?.given_up_at)
  t.is(given?.taken_at, null)
  await settle(sql, sender)
  const [sent] = await sql`select given_up_at, sent_at from nms_private.messages where about = ${about}`
  t.is(sent?.given_up_at, null)
  t.truthy(sent?.sent_at)
})

test('of many that wait, a hundred are queued, runs before digests', async (t) => {
  const { sql } = await createShop(t)
  await sql`
    insert into nms_private.messages (about, body, written_at)
    select 'digest ' || n, '{}', now() - interval '1 day' from generate_series(1, 300) as n
  `
  const { run_id } = await collectRows(sql, 0)

  const waiting = await write(sql)

  t.is(waiting.length, 100)
  t.is(waiting[0], `run ${run_id}`)
})

test('a digest before the first message hides no run', async (t) => {
  const { sql } = await createShop(t)
  const { run_id } = await collectRows(sql, 0)
  await sql`select nms_private.write_digest()`

  const waiting = await write(sql)

  t.is(waiting[0], `run ${run_id}`)
})

test('a result that is missing for a month is not told again', async (t) => {
  const { sql } = await createDatabase(t)
  const [{ today }] = await sql<[{ today: string }]>`select nms.business_date()::text as today`
  await writeRuns(sql, [{ day: -40, at: '00:00:01', counts: { 'public.orders': 5 } }], today)
  await sql`select nms_private.record_missing_run()`
  const [about = ''] = await write(sql)
  await settle(sql, await take(sql, about))
  await sql`update nms.table_metrics_alert_log set opened_at = opened_at - interval '32 days'`
  await sql`update nms_private.messages set written_at = written_at - interval '32 days', sent_at = sent_at - interval '32 days'`

  t.deepEqual(await write(sql), [])
})

test('the text of a failure is 500 characters long at most', async (t) => {
  const { sql } = await createDatabase(t)
  const [{ today }] = await sql<[{ today: string }]>`select nms.business_date()::text as today`
  const run = await writeRuns(sql, [{ day: 0, status: 'FAILED', error: 'x'.repeat(2000) }], today)
  await write(sql)

  t.is((await bodyOf(sql, `run ${run}`))?.data.run.error_message, 'x'.repeat(500))
})

test('messages of a month ago are forgotten', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 0)
  await write(sql)
  await sql`update nms_private.messages set written_at = now() - interval '32 days'`

  await write(sql)

  const left = await sql`select about from nms_private.messages where written_at < now() - interval '31 days'`
  t.is(left.length, 0)
})
