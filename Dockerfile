# Brainstem in a container: docs/operations.md says how to run it.
#
# Build:  docker build -t brainstem .
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json ./
# `prepare` would build before the sources are there.
RUN npm ci --ignore-scripts
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim AS runtime
# tini reaps what fixes leave behind and passes signals on; ping is what icmp probes run.
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini iputils-ping ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/brainstem
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json brainstem.yml credentials.yaml ./
COPY schema schema
COPY probes probes
COPY remediations remediations
# The home: definitions of this repository until others are mounted over them, and data/ as a volume.
RUN mkdir data && chown node:node data && chmod 700 data
ENV NODE_ENV=production MALLOC_ARENA_MAX=1
USER node
VOLUME ["/opt/brainstem/data"]
EXPOSE 9911
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", "fetch('http://' + (process.env.BRAINSTEM_LISTEN || '127.0.0.1:9911').replace('0.0.0.0', '127.0.0.1') + '/-/healthy').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/tini", "--", "node", "--max-semi-space-size=1", "--heap-growing-percent=20", "--v8-pool-size=1", "--no-sparkplug", "dist/main.js"]
CMD ["run"]
