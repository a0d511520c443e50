export * from './flow.types.ts'
export { FlowIds } from './flow-ids.ts'
export { FlowJournal, type FlowJournalComponents, type LiveFlow } from './flow-journal.ts'
export { decodeFlowLine, encodeFlow, encodeLost, type FlowLine } from './flow-line.ts'
export { FlowLineError, type FlowLineErrorCode } from './flow-line-error.ts'
export { type FlowQuery, type FlowQueryVerdict, isWanted, readFlowQuery } from './flow-query.ts'
export { type FlowsResponse, flowsResponse } from './flows-response.ts'
export {
  FLOW_HEARTBEAT_MS,
  FLOW_UPDATE_MS,
  MAX_FLOW_FIELDS,
  MAX_FLOW_LINE,
  MAX_FLOW_POLICIES,
  MAX_FLOW_TEXT,
} from './limits.ts'
export { WITHHELD } from './withheld.ts'
