import test from 'ava'
import type { TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { expectInvariants } from '../_support/invariants.ts'
import { shopCounts } from '../_support/moments.ts'
import {
  addJob,
  modes,
  prepareSite,
  runs,
  startWorker,
  stopWorker,
  untilSuccess,
} from '../_support/worker.ts'

for (const [mode, payload] of Object.entries(modes)) {
  test(`a full disk on the header, ${mode}: the job is done when there is room`, async (t) => {
    const db = await prepareSite(t)
    const disk = await fillDisk(db, 'nms.table_metrics_runs')
    const worker = await startWorker(t, db)

    await addJob(db, payload)

    await eventually(disk.hasRefused, 'a write was refused')
    t.deepEqual(await runs(db), [])
    await disk.mend()
    await untilSuccess(db)
    await stopWorker(t, worker)
    await expectInvariants(t, db, shopCounts)
  })

  test(`a full disk on the final write, ${mode}: the run has FAILED, and the job is done when there is room`, async (t) => {
    const db = await prepareSite(t)
    const disk = await fillDisk(db, 'nms.table_metrics_run_snapshot')
    const worker = await startWorker(t, db)

    await addJob(db, payload)

    await eventually(async () => (await runs(db))[0]?.status === 'FAILED', 'the run has FAILED')
    t.regex((await runs(db))[0]?.error_message ?? '', /53100/)
    await disk.mend()
    await untilSuccess(db)
    await stopWorker(t, worker)
    await expectInvariants(t, db, shopCounts)
  })
}

/** Makes every insert into a table fail as it does when the disk is full. */
async function fillDisk({ sql }: TestDatabase, table: string) {
  await sql.unsafe(`
    create sequence watch.refused; -- outlasts what is rolled back
    create function watch.refuse() returns trigger language plpgsql security definer as $$
    begin
      perform nextval('watch.refused');
      raise exception 'no space left' using errcode = 'disk_full';
    end $$;
    create trigger refuse before insert on ${table} for each statement execute function watch.refuse();
  `)
  return {
    hasRefused: async () => (await sql`select from watch.refused where is_called`).length > 0,
    mend: () => sql.unsafe('drop function watch.refuse() cascade'),
  }
}
