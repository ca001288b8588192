import { rmdirSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A port that no other test on this machine is given, also while nobody listens there. It is below
 * the range from which the system gives ports away.
 */
export async function reservePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const mark = join(tmpdir(), `table-metrics-port-${port}`)
    try {
      await mkdir(mark)
    } catch (error) {
      if ((error as { code?: string }).code === 'EEXIST') continue
      throw error
    }
    process.once('exit', () => rmdirSync(mark))
    return port
  }
}
