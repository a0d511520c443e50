# ambit/cni, for linux/amd64 and linux/arm64: the base image brings Node for either. Build from the root of the checkout:
#   docker buildx build --platform linux/amd64,linux/arm64 -f deploy/images/cni.Dockerfile -t ambit/cni:0.1.0 .
FROM node:26.10.0-bookworm-slim AS workspace
WORKDIR /ambit
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages packages
# Without the npm copy of Node, which is optional.
RUN npx -y pnpm@12.21.0 install --frozen-lockfile --prod --no-optional --filter @ambit/cni...

FROM node:26.10.0-bookworm-slim
LABEL org.opencontainers.image.title="ambit/cni" org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update && apt-get install -y --no-install-recommends nftables iproute2 && rm -rf /var/lib/apt/lists/*
COPY --from=workspace /ambit /ambit
ENV NODE_OPTIONS=--disable-warning=ExperimentalWarning NODE_COMPILE_CACHE=/var/cache/node
RUN install -d -o 0 /var/cache/node
# The charts' command is upstream's name of the program.
RUN printf '#!/bin/sh\nexec node /ambit/packages/cni/src/main.ts "$@"\n' > /usr/local/bin/install-cni && chmod 755 /usr/local/bin/install-cni
# Root, as the chart runs it: it enters the network namespaces of pods and writes the node's CNI folders.
USER 0:0
# Compiled once, here: a start takes a third of the time. Node reads the cache only of its own user, so this user makes it.
RUN node --input-type=module -e "import { flushCompileCache } from 'node:module'; await import('/ambit/packages/cni/src/app.ts'); flushCompileCache(); process.exit(0)"
CMD ["install-cni"]
