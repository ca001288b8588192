/** Parses what the server has rendered. Each number is a string, as written there: none is rounded. */
export function parseExactly<T>(json: string): T {
  return JSON.parse(json, exactly)
}

const exactly = (_key: string, value: unknown, { source }: { source?: string } = {}) =>
  typeof value === 'number' ? source : value
