# The image: one stage compiles, the other runs. Migrations are inside the binary.
#
#   docker build -t compline .
#   docker run --read-only -v compline:/var/lib/compline compline serve

FROM rust:1.95.0-slim-bookworm AS build
# The image's own toolchain; rust-toolchain.toml would fetch formatter and lints, which nobody runs here.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin compline

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="Compline" \
      org.opencontainers.image.description="The background job worker and scheduler of regulated businesses" \
      org.opencontainers.image.licenses="Apache-2.0"

# A number, so that an orchestrator can see that it is not root.
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/compline --shell /usr/sbin/nologin compline
# Whom to believe who answers for Redis or a provider.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/release/compline /usr/local/bin/compline

USER 10001:10001
# The only place that is written to: results, and the SQLite file when that is the store.
WORKDIR /var/lib/compline
VOLUME /var/lib/compline

# No HEALTHCHECK: a worker whose database is away waits for it and must not be restarted for that, and `compline doctor`
# would say that it is unwell. A process that has lost one of its parts ends by itself; restart what ends.
# The binary handles SIGTERM itself and starts no processes to reap, so it can be the first.
ENTRYPOINT ["compline"]
CMD ["serve"]
