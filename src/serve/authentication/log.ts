import type { Log } from '../../log.ts'
import type { AuthenticationLog } from './authentication.ts'

/** What is told of callers, as events of the service's log. */
export function authenticationLog(log: Log): AuthenticationLog {
  return {
    refused: (reason) => log.record({ event: 'caller_refused', reason }),
    noticed: (notice) => log.record({ event: 'token_file', notice }),
  }
}
