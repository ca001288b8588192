import { readdir, readFile } from 'node:fs/promises'

/** Milliseconds of processor time that all processes of a server have taken since it started, in steps of 10. */
export async function serverCpu(postmaster: number): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const ticks = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '') // it has ended
      const [, parent, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const [user, system, endedUser, endedSystem] = fields.slice(9, 13).map(Number) as FourNumbers
      if (Number(pid) === postmaster) return user + system + endedUser + endedSystem
      return Number(parent) === postmaster ? user + system : 0
    }),
  )
  return ticks.reduce((sum, part) => sum + part, 0) * 10
}

/** Milliseconds of processor time that one process has taken since it started, in steps of 10. */
export async function processCpu(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number) as FourNumbers
  return (user + system) * 10
}

type FourNumbers = [number, number, number, number]
