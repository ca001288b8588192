import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import postgres from 'postgres'
import { copyCheckout } from '../_support/checkout.ts'
import { eventually, hang } from '../_support/eventually.ts'
import { start } from '../_support/process.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const remedy = 'migrations/fixtures/functions/run/remedy.sql'

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`the install follows each save until ${signal}`, async (t) => {
    t.timeout(hang * 1000)
    const { folder: checkout } = await copyCheckout(t)
    const watching = start(t, process.execPath, [join(checkout, 'scripts/db_watch.ts')], {
      cwd: checkout,
      env: { PGHOST: 'nowhere.invalid' },
    })
    const printed = (text: string) => eventually(async () => watching.stdout().includes(text), text)
    await printed('npm run table-metrics -- collect\n')
    const [, url = ''] = /^ {2}psql (\S+)$/m.exec(watching.stdout()) ?? []
    const sql = postgres(url, { max: 1, onnotice: () => undefined })
    t.teardown(() => sql.end({ timeout: 1 }))
    const advice = async () => (await sql`select nms_private.remedy('42P01') as text`)[0]?.text

    t.is((await sql`select count(*)::int from sales.orders`)[0]?.count > 0, true)
    t.is((await sql`select (nms.collect_table_metrics()).status`)[0]?.status, 'SUCCEEDED')

    const text = await readFile(join(checkout, remedy), 'utf8')
    await writeFile(join(checkout, remedy), text.replace("'mend the cause and", "'look at the cause and"))
    await printed('loaded functions/run/remedy.sql\n')
    t.is(await advice(), 'look at the cause and collect again, or exclude it')

    t.is(
      watching.stdout().replaceAll(/:\w+@127\.0\.0\.1:\d+/g, ':PASSWORD@127.0.0.1:PORT'),
      /npm run db:watch\n```\n\n```text\n(.*?)```/s.exec(
        await readFile(join(project, 'CONTRIBUTING.md'), 'utf8'),
      )?.[1] ?? '',
    )

    // As an editor saves: another file takes its place.
    await writeFile(join(checkout, 'saved'), text.replace('select case', 'select csae'))
    await rename(join(checkout, 'saved'), join(checkout, remedy))
    await eventually(async () => watching.stderr().includes('\n'), 'it complains')
    t.is(watching.stderr(), `error: ${remedy}:7: syntax error at or near "error_sqlstate"\n`)
    t.is(await advice(), 'look at the cause and collect again, or exclude it')

    await writeFile(join(checkout, remedy), text)
    await writeFile(join(checkout, 'current.sql'), 'create table if not exists nms.noted (note text);\n')
    await printed('loaded current.sql\n')
    await eventually(
      async () => (await advice()) === 'mend the cause and collect again, or exclude it',
      'as before',
    )
    t.deepEqual([...(await sql`select from nms.noted`)], [])

    watching.kill(signal)
    const { status, stderr } = await watching.finished
    t.is(status, 0)
    t.is(stderr.split('\n').length, 2, stderr)
    await t.throwsAsync(sql`select 1`)
  })
}
