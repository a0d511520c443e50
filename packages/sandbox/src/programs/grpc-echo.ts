// A gRPC server of one method, `/ambit.Echo/Say`: the answer is the request's message, whatever its bytes mean. Port 50051.
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { flags } from './serve.ts'

const asIs = (bytes: Buffer): Buffer => bytes
const service: ServiceDefinition = {
  say: {
    path: '/ambit.Echo/Say',
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
}
const implementation: UntypedServiceImplementation = {
  say: ({ request }: { readonly request: Buffer }, answer: (error: null, message: Buffer) => void): void =>
    answer(null, request),
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
