# ambit/cni. Build from the root of the checkout:  docker build -f deploy/images/cni.Dockerfile -t ambit/cni:0.1.0 .
FROM node:26.10.0-bookworm-slim AS workspace
WORKDIR /ambit
COPY . .
# The base image brings Node 26 itself, so the npm copy of it is left out.
RUN npx -y pnpm@12.21.0 install --frozen-lockfile --prod --no-optional --filter @ambit/cni...

FROM node:26.10.0-bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends nftables iproute2 && rm -rf /var/lib/apt/lists/*
COPY --from=workspace /ambit /ambit
ENV NODE_OPTIONS=--disable-warning=ExperimentalWarning
# Nodes have none of this image's files: the agent gives them the Node that runs the CNI plugin.
ENV CNI_PLUGIN_COPY_RUNTIME=true
# The manifest's command is upstream's name of the program.
RUN printf '#!/bin/sh\nexec node /ambit/packages/cni/src/main.ts "$@"\n' > /usr/local/bin/install-cni && chmod 755 /usr/local/bin/install-cni
CMD ["install-cni"]
