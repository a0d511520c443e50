import test from 'ava'
import { bytesText } from '../src/edge-text.ts'
import { dotText, graphOf, mermaidText } from '../src/index.ts'
import { AT_MS, denial, flow, gatewayRequest, request } from './support/flows.ts'

const VIEW = graphOf(
  [
    ...denial('policy-denied'),
    ...request('r'),
    ...gatewayRequest('g'),
    flow({ id: 'x', transport: { kind: 'plain' }, client: { address: '10.9.9.9:1' } }),
  ],
  AT_MS,
)

test('Mermaid: namespaces, shapes, red denials, dashed plain text', (t) => {
  t.is(
    mermaidText(VIEW),
    `flowchart LR
  n0>"10.9.9.9"]
  n1(("outside"))
  subgraph s1["shop"]
    n2(["db"])
    n4["web"]
  end
  subgraph s2["edge"]
    n3[/"gateway"\\]
  end
  n0 -.->|"1 conn, 0 B, plain text"| n2
  n1 -.->|"1 req, 0 B, plain text"| n3
  n3 -->|"1 req, 0 B"| n2
  n4 -->|"1 req, 1 denied, 0 B, via shop/waypoint"| n2
  linkStyle 3 stroke:red`,
  )
})

test('Graphviz: the same', (t) => {
  t.is(
    dotText(VIEW),
    `digraph ambit {
  rankdir=LR
  "address:10.9.9.9" [label="10.9.9.9" shape=plaintext]
  "outside" [label="outside" shape=plaintext]
  subgraph cluster_1 {
    label="shop"
    "service:shop/db.shop.svc.cluster.local" [label="db" shape=ellipse]
    "workload:shop/web" [label="web" shape=box]
  }
  subgraph cluster_2 {
    label="edge"
    "workload:edge/gateway" [label="gateway" shape=house]
  }
  "address:10.9.9.9" -> "service:shop/db.shop.svc.cluster.local" [label="1 conn, 0 B, plain text" style=dashed]
  "outside" -> "workload:edge/gateway" [label="1 req, 0 B, plain text" style=dashed]
  "workload:edge/gateway" -> "service:shop/db.shop.svc.cluster.local" [label="1 req, 0 B"]
  "workload:shop/web" -> "service:shop/db.shop.svc.cluster.local" [label="1 req, 1 denied, 0 B, via shop/waypoint" color=red]
}`,
  )
})

test('what serves a service is joined to it, where it is a client itself', (t) => {
  const onward = flow({
    id: 'y',
    client: { address: '10.0.0.2:1', namespace: 'shop', workload: 'db' },
    server: { address: '10.0.0.3:1', namespace: 'shop', workload: 'disk' },
    service: undefined,
  })
  const view = graphOf([flow(), onward], AT_MS)
  t.regex(mermaidText(view), /\n {2}n0 -\.- n1$/)
  t.regex(
    dotText(view),
    /"service:shop\/db\.shop\.svc\.cluster\.local" -> "workload:shop\/db" \[style=dotted arrowhead=none\]\n\}$/,
  )
})

test('no name of anybody’s leaves its quotes', (t) => {
  const client = { address: '10.0.0.1:1', namespace: 'a"]\nb', workload: 'x"] --> y\\' }
  const view = graphOf([flow({ client })], AT_MS)
  for (const line of mermaidText(view).split('\n')) t.is(line.split('"').length % 2, 1, line)
  t.true(dotText(view).includes(String.raw`"workload:a\"] b/x\"] --> y\\"`))
})

test('bytes as people read them', (t) => {
  t.deepEqual([0, 1023, 1024, 1536, 150 * 1024, 2 ** 40].map(bytesText), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '150 KiB',
    '1.0 TiB',
  ])
})
