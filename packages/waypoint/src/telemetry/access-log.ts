import type { WaypointSettings } from '@ambit/state'
import { jsonFormat, type LineFormat, textFormat } from './access-log-format.ts'
import type { LoggedRequest } from './logged-request.types.ts'

type AccessLogSettings = WaypointSettings['accessLog']

/** One line a request, when the settings ask for it. */
export class AccessLog {
  readonly #write: (line: string) => void
  readonly #settings: () => AccessLogSettings
  #compiled: { readonly settings: NonNullable<AccessLogSettings>; readonly format: LineFormat } | undefined

  constructor(components: { readonly write: (line: string) => void; readonly settings: () => AccessLogSettings }) {
    this.#write = components.write
    this.#settings = components.settings
  }

  log(request: LoggedRequest): void {
    const settings = this.#settings()
    if (settings === undefined) return
    if (this.#compiled?.settings !== settings) {
      this.#compiled = { settings, format: (settings.encoding === 'json' ? jsonFormat : textFormat)(settings.format) }
    }
    this.#write(this.#compiled.format(request))
  }
}
