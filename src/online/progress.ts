/** How far an online run is. */
export interface Progress {
  tables: number
  allTables: number
  /** Exact, as text. */
  rows: string
  /** Part of the bytes that have been read, from 0 to 1. */
  part: number
  /** Seconds that are left if the rest is read as fast; undefined while nobody can tell. */
  secondsLeft: number | undefined
  /** Tables that are being counted, quoted where they have to be. */
  counting: string[]
}

/** What a call of `nms.measure_targets` has counted, and what it has left. */
export type Step = Record<
  'tables_counted' | 'rows_counted' | 'pages_counted' | 'tables_left' | 'pages_left',
  string
>

/** Adds up what several sessions have counted. */
export class ProgressTracker {
  readonly #start = performance.now()
  readonly #listener: ((progress: Progress) => void) | undefined
  #tables = 0
  #rows = 0n
  #pages = 0
  #left: Pick<Step, 'tables_left' | 'pages_left'> = { tables_left: '0', pages_left: '0' }
  #estimatedEnd: number | undefined
  #counting: string[] = []

  constructor(listener?: (progress: Progress) => void) {
    this.#listener = listener
  }

  add(step: Step): void {
    this.#tables += Number(step.tables_counted)
    this.#rows += BigInt(step.rows_counted)
    this.#pages += Number(step.pages_counted)
    this.#left = step
    const elapsed = performance.now() - this.#start
    this.#estimatedEnd =
      this.#pages > 0 ? performance.now() + (elapsed * Number(step.pages_left)) / this.#pages : undefined
    this.#tell()
  }

  show(counting: string[]): void {
    this.#counting = counting
    this.#tell()
  }

  #tell(): void {
    const left = Number(this.#left.pages_left)
    const all = this.#pages + left
    this.#listener?.({
      tables: this.#tables,
      allTables: this.#tables + Number(this.#left.tables_left),
      rows: String(this.#rows),
      part: all > 0 ? this.#pages / all : 0,
      secondsLeft:
        this.#estimatedEnd === undefined
          ? undefined
          : Math.max(0, this.#estimatedEnd - performance.now()) / 1000,
      counting: this.#counting,
    })
  }
}
