import { formatCount } from '../terminal/terminal.ts'

/** A count of a report, with what the report tells about how it was found. Numbers are strings, as the server writes them. */
export interface MarkedCount {
  /** Null where a table could not be counted. */
  row_count: string | null
  /** As in `nms.table_metrics_measurements`; absent is exact. */
  method?: string | null | undefined
  /** Null, or absent, unless it is an estimate. */
  row_count_low?: string | null | undefined
  row_count_high?: string | null | undefined
}

/** The sign in front of a number that was estimated, or that has such a number in it. */
export const estimateMark = '≈'

/** True for a number that is never shown without its mark and its range. */
export const isEstimate = ({ method }: Pick<MarkedCount, 'method'>) => method === 'estimate'

/** `1,234,567`, or `≈ 1,234,567 (1,200,000 to 1,270,000)` for an estimate; nothing where there is no count. */
export function formatMarkedCount(of: MarkedCount): string {
  if (of.row_count === null) return ''
  const count = formatCount(of.row_count)
  return isEstimate(of) ? `${estimateMark} ${count} ${rangeOf(of)}` : count
}

/** `(1,200,000 to 1,270,000)`; nothing for what is no estimate. */
export function rangeOf({ row_count_low: low, row_count_high: high }: MarkedCount): string {
  return low && high ? `(${formatCount(low)} to ${formatCount(high)})` : ''
}

/** A formatted change or sum, marked where one of the numbers in it is an estimate: `≈ +12`. Nothing stays nothing. */
export const marked = (text: string, ...among: Pick<MarkedCount, 'method'>[]) =>
  text && among.some(isEstimate) ? `${estimateMark} ${text}` : text

/** `of which ≈ 1,234,000 are estimated`, beside a total; nothing where none of it is. */
export const estimatedPart = (estimatedRows: string | null | undefined) =>
  estimatedRows && estimatedRows !== '0'
    ? `of which ${estimateMark} ${formatCount(estimatedRows)} are estimated`
    : ''
