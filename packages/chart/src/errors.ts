import { AmbitError } from '@ambit/core'

/** A chart can't be read: files that are missing or no YAML, dependencies that are not there. */
export class ChartError extends AmbitError {
  readonly code = 'CHART_LOAD'
}

/** A template is wrong, or fails for these values. The message begins with chart, file and line. */
export class TemplateError extends AmbitError {
  readonly code = 'CHART_TEMPLATE'
}

/** What a function says of its arguments; where it was called is added by the template around it. */
export class FunctionError extends AmbitError {
  readonly code = 'CHART_FUNCTION'
}
