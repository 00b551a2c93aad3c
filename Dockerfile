# syntax=docker/dockerfile:1
#
#   docker build -t tessera .
#   docker run --rm --read-only --cap-drop ALL --publish 127.0.0.1:8080:8080 tessera
#
# Built with Swift's own image for Debian 12; what runs is Debian 12 without Swift.

ARG SWIFT_IMAGE=swift:6.2-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${SWIFT_IMAGE} AS build
WORKDIR /src
# First what seldom changes.
COPY scripts/setup scripts/setup
RUN scripts/setup && rm -rf /var/lib/apt/lists/*
COPY Package.* ./
RUN swift package resolve
COPY . .
# Static: the runtime image then needs none of Swift's libraries. `-o build` keeps make from building once more without.
RUN swift build -c release --product tessera --static-swift-stdlib \
    && make -o build install PREFIX=/usr/local DESTDIR=/out \
    && strip /out/usr/local/bin/tessera

FROM ${DEBIAN_IMAGE}
# No versions: the newest of a stable Debian are its security fixes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libdeflate0 libdnnl2 libgomp1 libjpeg62-turbo libopenblas0-pthread libpng16-16 libstdc++6 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 tessera \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tessera
COPY --from=build /out /
COPY --chmod=755 deploy/docker/healthcheck /usr/local/bin/tessera-healthcheck
# Tessera calls OpenBLAS from threads of its own; without this OpenBLAS starts some too, one for each host processor.
# The image has no swift-backtrace to call.
ENV OPENBLAS_NUM_THREADS=1 SWIFT_BACKTRACE=enable=no
# A number, so that Kubernetes can tell that it isn't root.
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["tessera-healthcheck"]
ENTRYPOINT ["tessera"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
