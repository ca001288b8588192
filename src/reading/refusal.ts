import { visible } from '../terminal/visible.ts'

const refused = /^(P0002|22023|55000)$/

/**
 * The answer to a request. A refusal is said in one line.
 *
 * @param advice what to type instead of what the server suggests to somebody who writes SQL
 */
export async function unlessRefused<T>(answer: PromiseLike<T>, advice: string): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const {
      code = '',
      message,
      detail,
      hint = '',
    } = error as Error & {
      code?: string
      detail?: string
      hint?: string
    }
    if (!refused.test(code) || detail === undefined) throw error
    const said = hint.includes('nms.') ? advice : hint.charAt(0).toLowerCase() + hint.slice(1)
    throw new Error(visible(`${message}: ${detail}; ${said.replace(/\.$/, '')}`))
  }
}
