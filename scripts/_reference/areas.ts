/** The chapters of the reference in their order: folders in migrations/fixtures/functions. */
export const areas = {
  run: 'Counting everything now, or step by step.',
  request: 'What a run would count.',
  count: 'What a run found for each table.',
  carry: 'Counts kept from an earlier run, and whether they are right.',
  estimate: 'How many rows there are, from some of the pages.',
  filters: 'Counting the rows that match a test, beside all rows.',
  maintain: 'Counts that triggers maintain.',
  online: 'Counting in many short transactions.',
  schedule: 'When the next run is due.',
  forecast: 'When it will be full.',
  reading: 'One day, one table, two days compared.',
  history: 'What is kept, imported, made anew and deleted.',
  alerts: 'What is strange about the counts.',
  settings: 'What holds for every run.',
  doctor: 'What would make a run fail or lie.',
} as const

/** A folder of functions that has a chapter. */
export type Area = keyof typeof areas

/** Where tables and views are told about: they lie in no folder of an area. */
export const areaOfRelation: Record<string, Area> = {
  table_metrics_runs: 'run',
  table_metrics_measurements: 'count',
  table_metrics_filtered_counts: 'filters',
  table_metrics_count_rules: 'count',
  table_metrics_filters: 'filters',
  table_metrics_comparisons: 'count',
  table_metrics_differences: 'count',
  table_metrics_maintained: 'maintain',
  table_metrics_next_due: 'schedule',
  table_metrics_today: 'reading',
  table_metrics_daily: 'reading',
  table_metrics_history: 'reading',
  table_metrics_latest: 'reading',
  table_metrics_estimates: 'reading',
  table_metrics_daily_snapshot: 'history',
  table_metrics_run_snapshot: 'history',
  table_metrics_alerts: 'alerts',
  table_metrics_alert_rules: 'alerts',
  table_metrics_alert_log: 'alerts',
  table_metrics_settings: 'settings',
}

/** Calls that come first in their chapter; the others follow by name. */
export const leading = ['collect_table_metrics', 'open_run']

/** What the SQLSTATEs of our own mean. */
export const codes: Record<string, string> = {
  NM001:
    'The table was rewritten, truncated or replaced after the snapshot was taken, each time it was counted.',
  NM002:
    'Releases the locks of a table that was counted. It is caught where it is raised: nobody ever sees it.',
  NM004:
    'A part on another server read as empty, and had not when it was last read: it may have been emptied and filled again under the snapshot that the server over there has kept.',
  NM003: 'The count yielded to sessions that waited for the table, as often as it may.',
}
