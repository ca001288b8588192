/** Somebody who owns functions of ours. */
export type Owner = { owner: string }

/** What it means that a superuser owns functions of ours; undefined when none does. */
export async function superuserAsOwner(
  ask: (text: string) => Promise<Owner | undefined>,
): Promise<string | undefined> {
  const found = await ask(`
    select owner.rolname as owner
    from pg_proc as routine
    join pg_roles as owner on owner.oid = routine.proowner
    where routine.pronamespace in (to_regnamespace('nms'), to_regnamespace('nms_private')) and owner.rolsuper
    limit 1
  `)
  if (!found) return
  return (
    `functions of schema nms belong to the superuser ${found.owner}: while a table is counted, code of its owner ` +
    '(in an index, say) may run with the rights of a superuser. To hand them over: table-metrics migrate'
  )
}
