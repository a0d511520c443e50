import type { TemplateFunction } from '../template/execute-template.ts'
import { CHART_FUNCTIONS } from './charts.ts'
import { COLLECTION_FUNCTIONS } from './collections.ts'
import { LOGIC_FUNCTIONS } from './logic.ts'
import { TEXT_FUNCTIONS } from './texts.ts'

/**
 * Everything templates can call. What would make two renderings differ (time, chance, keys, the environment) is left out on
 * purpose: what is installed has to be what was looked at.
 */
export const ALL_FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map([
  ...Object.entries(TEXT_FUNCTIONS),
  ...Object.entries(COLLECTION_FUNCTIONS),
  ...Object.entries(LOGIC_FUNCTIONS),
  ...Object.entries(CHART_FUNCTIONS),
])
