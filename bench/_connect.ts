import postgres from 'postgres'

export type Sql = postgres.Sql

/** One connection that sends what it is given, and nothing around it. */
export function connect(url: string, onnotice: (notice: postgres.Notice) => void = () => undefined): Sql {
  return postgres(url, {
    max: 1,
    onnotice,
    prepare: false,
    connection: { application_name: 'table-metrics', DateStyle: 'ISO' },
  })
}
