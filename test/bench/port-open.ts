import { connect } from 'node:net'

/** Does anything accept connections there? */
export function portOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 })
    const answer = (open: boolean): void => {
      socket.destroy()
      resolve(open)
    }
    socket.on('connect', () => answer(true))
    socket.on('error', () => answer(false))
    socket.on('timeout', () => answer(false))
  })
}
