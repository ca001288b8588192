/**
 * The payload of a job as the JSON that `nms_private.job_payload` reads: it may hold what jsonb refuses.
 * One that is too deep for this process becomes a string that says so, which every job refuses.
 */
export function payloadAsText(payload: unknown): string {
  try {
    return JSON.stringify(payload ?? {})
  } catch (error) {
    return JSON.stringify((error as Error).message)
  }
}
