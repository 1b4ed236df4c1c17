# A host of the lattice, and `wash`: what docker-compose.yml runs. docs/compose.md says how.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package lattice-host --package lattice-wash --bins

FROM debian:bookworm-slim
# Authorities of registries; the HTTP client brings its own.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# The user who made the lattice's credentials: they are readable by their owner alone.
ARG UID=1000
ARG GID=1000
RUN install --directory --owner="$UID" --group="$GID" --mode=0700 /data
COPY --from=build /src/target/release/wasmcloud /src/target/release/wash /usr/local/bin/
USER $UID:$GID
ENV WASMCLOUD_DATA_DIR=/data WASMCLOUD_CACHE_DIR=/data/cache
VOLUME /data
ENTRYPOINT ["wasmcloud"]
