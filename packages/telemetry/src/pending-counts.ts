import type { CounterSeries, Labels } from '@ambit/core'

interface Pending {
  readonly labels: Labels
  count: number
}

/** What was added to series since the last scrape: prom-client looks at all labels of every count it is told. */
export class PendingCounts {
  readonly #changed = new Set<Pending>()

  /** `admit` is asked until it lets the series in, so that everything left out is counted as such. */
  series(labels: Labels, admit: (labels: Labels) => boolean): CounterSeries {
    const pending: Pending = { labels, count: 0 }
    let isAdmitted = false
    return {
      add: (value = 1) => {
        isAdmitted ||= admit(labels)
        if (!isAdmitted) return
        if (pending.count === 0) this.#changed.add(pending)
        pending.count += value
      },
    }
  }

  tell(add: (labels: Labels, value: number) => void): void {
    for (const pending of this.#changed) {
      add(pending.labels, pending.count)
      pending.count = 0
    }
    this.#changed.clear()
  }
}
