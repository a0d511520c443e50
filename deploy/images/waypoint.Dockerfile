# ambit/waypoint. Build from the root of the checkout:  docker build -f deploy/images/waypoint.Dockerfile -t ambit/waypoint:0.1.0 .
FROM node:26.10.0-bookworm-slim AS workspace
WORKDIR /ambit
COPY . .
# The base image brings Node 26 itself, so the npm copy of it is left out.
RUN npx -y pnpm@12.21.0 install --frozen-lockfile --prod --no-optional --filter @ambit/waypoint...

FROM node:26.10.0-bookworm-slim
COPY --from=workspace /ambit /ambit
ENV NODE_OPTIONS=--disable-warning=ExperimentalWarning
# The manifest runs it as 1337; the number is fixed so that the image alone is not root either.
USER 1337:1337
# Bodies that pass leave garbage; with a small nursery for it a large one costs 45 MiB of memory and not 75.
ENTRYPOINT ["node", "--max-semi-space-size=4", "/ambit/packages/waypoint/src/main.ts"]
