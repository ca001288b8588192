export { type CollectRequest, collectTableMetrics, type Run } from './collect.ts'
export { installScript } from './install_script.ts'
export { type MigrateResult, migrate } from './migrate.ts'
