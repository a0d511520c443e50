# ambit/ztunnel. Build from the root of the checkout:  docker build -f deploy/images/ztunnel.Dockerfile -t ambit/ztunnel:0.1.0 .
FROM node:26.10.0-bookworm-slim AS workspace
WORKDIR /ambit
COPY . .
# The base image brings Node 26 itself, so the npm copy of it is left out.
RUN npx -y pnpm@12.21.0 install --frozen-lockfile --prod --no-optional --filter @ambit/ztunnel...

FROM node:26.10.0-bookworm-slim
COPY --from=workspace /ambit /ambit
ENV NODE_OPTIONS=--disable-warning=ExperimentalWarning
ENTRYPOINT ["node", "/ambit/packages/ztunnel/src/main.ts"]
