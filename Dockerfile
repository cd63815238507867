# syntax=docker/dockerfile:1
# One static binary in an otherwise empty image: no shell, no package, nothing to log in to.

FROM rust:1.95-alpine AS build
# A C compiler for ring; musl for a static binary.
RUN apk add --no-cache gcc musl-dev
WORKDIR /src

# The dependencies first, against an empty program: this layer changes with Cargo.lock only.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && touch src/lib.rs && echo 'fn main() {}' >src/main.rs \
    && cargo build --release --locked --bin sickbay \
    && rm -r src

COPY src src
# The advice that `sickbay explain` gives.
COPY docs/REASONS.md docs/REASONS.md
ARG REVISION=unknown
ENV SICKBAY_REVISION=$REVISION
# cargo goes by time stamps, and the empty program is younger than the checkout may be.
RUN touch src/lib.rs src/main.rs \
    && cargo build --release --locked --bin sickbay \
    && cp target/release/sickbay /sickbay \
    && mkdir /data

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sickbay" \
      org.opencontainers.image.description="Receives Alertmanager webhooks, treats the container, watches it recover, and writes everything down." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      sickbay.protect="true"
COPY --from=build /sickbay /sickbay
# Owned by the user below, and copied into a new volume with its owner.
COPY --from=build --chown=65532:65532 /data /data
COPY --chown=0:0 LICENSE /LICENSE
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 10112
# Asks /-/healthy of the process beside it: restarting sickbay because Docker is away would help nobody.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/sickbay", "healthcheck"]
ENTRYPOINT ["/sickbay"]
CMD ["serve", "--config.file=/etc/sickbay/sickbay.yml", "--storage.path=/data"]
