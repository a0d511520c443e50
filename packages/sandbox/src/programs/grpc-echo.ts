// A gRPC server: `/ambit.Echo/Say` answers with the request's message, whatever its bytes mean, and the health service says
// SERVING of every service but one called `down`. Port 50051.
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { flags } from './serve.ts'

const asIs = (bytes: Buffer): Buffer => bytes
const method = (path: string): ServiceDefinition[string] => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
})
const service: ServiceDefinition = {
  say: method('/ambit.Echo/Say'),
  check: method('/grpc.health.v1.Health/Check'),
}
type Answer = (error: null, message: Buffer) => void
/** Field `status` (1) of the answer of the health service. */
const [SERVING, NOT_SERVING] = [Buffer.from([0x08, 1]), Buffer.from([0x08, 2])]
const implementation: UntypedServiceImplementation = {
  say: ({ request }: { readonly request: Buffer }, answer: Answer): void => answer(null, request),
  // The name is the only field: tag, length, text.
  check: ({ request }: { readonly request: Buffer }, answer: Answer): void =>
    answer(null, request.subarray(2).toString() === 'down' ? NOT_SERVING : SERVING),
}

const port = Number(flags(process.argv.slice(2))['port'] ?? 50051)
const server = new Server()
server.addService(service, implementation)
server.bindAsync(`[::]:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) {
    process.stderr.write(`cannot listen on port ${port}: ${error.message}\n`)
    process.exit(1)
  }
  process.stdout.write(`listening on port ${port}\n`)
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
