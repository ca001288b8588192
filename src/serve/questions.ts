import { findings } from './questions/findings.ts'
import { history } from './questions/history.ts'
import type { Question } from './questions/question.ts'
import { snapshots } from './questions/snapshots.ts'

/** What may be asked under /v1, one function each. */
export const questions: Question[] = [...snapshots, ...history, ...findings]
