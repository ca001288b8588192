import type { Page } from './pages/page.ts'

/** Every page that is served. Each is a file of its own in src/serve/pages. */
export const pages: readonly Page[] = []
