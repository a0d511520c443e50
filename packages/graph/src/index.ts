export { dotText } from './dot-text.ts'
export { FlowGraph, graphOf } from './flow-graph.ts'
export type * from './graph.types.ts'
export { mermaidText } from './mermaid-text.ts'
