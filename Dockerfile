# Builds ratelimitd and ratelimitctl and copies them into a small image, together
# with the shared libraries that they need. /bin/ratelimit is ratelimitd: products
# start the image under this name of envoyproxy/ratelimit (docs/MIGRATE.md).
FROM debian:trixie-slim AS build
WORKDIR /src
COPY scripts/install scripts/install
COPY scripts/packages scripts/packages
RUN scripts/install build
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY proto proto
COPY server server
COPY client client
RUN cmake --preset release && cmake --build --preset release && \
    DESTDIR=/out cmake --install build/release --strip --prefix /usr && \
    ln -s ratelimitd /out/usr/bin/ratelimit
# Lists the packages that contain these libraries, because their names differ
# between Debian releases.
RUN ldd /out/usr/bin/* | awk '/=> \// {print $3}' | sort -u | \
    xargs -r realpath | xargs -r dpkg -S | cut -d: -f1 | sort -u \
    > /out/runtime-packages

FROM debian:trixie-slim
COPY --from=build /out/runtime-packages /tmp/
RUN apt-get update -qq && \
    xargs apt-get install -qq -y --no-install-recommends ca-certificates tzdata \
      < /tmp/runtime-packages > /dev/null && \
    rm -rf /var/lib/apt/lists/* /tmp/runtime-packages
COPY --from=build /out/usr/bin/ /usr/bin/
# --build-arg REVISION="$(git rev-parse HEAD)" names the commit.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ratelimitd" \
      org.opencontainers.image.description="Rate limit decisions for Envoy, in place of envoyproxy/ratelimit" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# Any user works: the programs write no file.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["ratelimitd"]
