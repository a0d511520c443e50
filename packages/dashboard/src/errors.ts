import { AmbitError } from '@ambit/core'

/** The dashboard can't listen where it was told to. */
export class DashboardListenError extends AmbitError {
  readonly code = 'DASHBOARD_LISTEN'
}

/** What a page asks to be explained is no question. */
export class BadQuestionError extends AmbitError {
  readonly code = 'DASHBOARD_QUESTION'
}
