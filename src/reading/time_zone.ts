import { snapshotTimeZone } from '../environment.ts'
import { isTimeZone } from '../terminal/terminal.ts'

/** The zone in which times are shown: SNAPSHOT_TZ, else the business time zone where it is known here. */
export function shownZone(businessTimeZone: string): string {
  return snapshotTimeZone() ?? (isTimeZone(businessTimeZone) ? businessTimeZone : 'UTC')
}
