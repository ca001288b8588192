// Writes docs/reference.md: every call, view and table of schema nms as the catalogue describes it.
import { writeFileSync } from 'node:fs'
import { migrate } from '../src/install/migrate.ts'
import { checkout } from './_migrations/checkout.ts'
import { onScratchServer } from './_migrations/scratch.ts'
import { referencePage } from './_reference/page.ts'

await onScratchServer(async (scratch) => {
  const { url, sql } = await scratch.createDatabase('described')
  await migrate(url)
  writeFileSync(`${checkout}/docs/reference.md`, await referencePage(sql))
})
