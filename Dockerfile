# chronik in a container: the program, the libraries it needs, a user without rights, a volume for its data.
#
#   docker build -t chronik .    from source, with nothing but this folder
#   ./dev image                  from the program that ./dev build made, in seconds
#
# For BuildKit and for the builder before it, which builds every stage above the wanted one: hence an argument
# instead of a stage of its own for a program that is there already.
FROM debian:bookworm-slim AS build
ARG PREBUILT
WORKDIR /source
COPY dev .
RUN [ -n "$PREBUILT" ] || ./dev packages
COPY . .
RUN if [ -n "$PREBUILT" ]; then cp "$PREBUILT" /chronik; \
    else ./dev build release chronik && strip -o /chronik build/release/chronik; fi

FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends libisal2 libspdlog1.10 libfmt9 zlib1g libsnappy1v5 libzstd1 liblz4-1 \
      libxxhash0 libre2-9 libstdc++6 && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log && \
    useradd --no-log-init --uid 10001 --user-group --home-dir /var/lib/chronik --shell /usr/sbin/nologin chronik && \
    install -d -o chronik -g chronik /var/lib/chronik
COPY configs/standalone.properties /etc/chronik/broker.properties
COPY --from=build /chronik /usr/local/bin/chronik
USER 10001:10001
VOLUME /var/lib/chronik
EXPOSE 9092 9192
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s \
  CMD ["chronik", "health", "--config", "/etc/chronik/broker.properties"]
ENTRYPOINT ["chronik"]
CMD ["serve", "--config", "/etc/chronik/broker.properties"]
