import type { History, TableHistory } from './_histories.ts'

/** How well incidents were told from the ordinary, in one generated history. */
export interface AlertQuality {
  /** Part of the incidents that were found, by their kind, on the first day that has a result. */
  recall: number
  recallByKind: Record<string, number>
  /** New alerts outside of incidents for each year of a table that was judged: 365 business days with a result. */
  falseAlarmsPerTableYear: number
}

/** @param found the kind of alert for each table with one, on each day that was judged */
export function judge({ tables }: History, found: (Map<string, string> | undefined)[]): AlertQuality {
  const planted: Record<string, number> = {}
  const recalled: Record<string, number> = {}
  let falseAlarms = 0
  let ordinaryDays = 0
  for (const table of tables) {
    const { incident } = table
    let open: string | undefined
    let isOver = false
    for (const [day, alerts] of found.entries()) {
      if (!alerts) continue
      const kind = alerts.get(table.name)
      if (incident && day >= incident.from && day <= incident.to) {
        if (!isOver) planted[incident.kind] = (planted[incident.kind] ?? 0) + 1
        if (!isOver && kind === incident.kind) recalled[kind] = (recalled[kind] ?? 0) + 1
        isOver = true
      } else if (!isAftermath(table, day)) {
        ordinaryDays++
        if (kind && kind !== open) falseAlarms++
      }
      open = kind
    }
  }
  const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, n) => sum + n, 0)
  return {
    recall: total(recalled) / total(planted),
    recallByKind: Object.fromEntries(
      Object.entries(planted).map(([kind, n]) => [kind, (recalled[kind] ?? 0) / n]),
    ),
    falseAlarmsPerTableYear: falseAlarms / (ordinaryDays / 365),
  }
}

/** The end of an incident of five days or more is a change that one wants to hear of. */
function isAftermath({ incident }: TableHistory, day: number): boolean {
  return (
    incident !== undefined && incident.to - incident.from >= 4 && day > incident.to && day <= incident.to + 14
  )
}
