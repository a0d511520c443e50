/** What a CONNECT was answered: exactly 200 opens the tunnel (Istio). */
export function acceptsTunnel(status: number): boolean {
  return status === 200
}
