/** What every request asks for. */
export const AUTHORITY = 'web.bench.svc.cluster.local'
export const PATH = '/api/items?page=7'
