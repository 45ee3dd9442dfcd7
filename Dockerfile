# The command in a container. The tarball is made in a clone, by npm run pack:
#   npm run pack && docker build --tag quark-mon .
#   docker run --rm --privileged --pid=host --cgroupns=host quark-mon --json
# docs/running.md has what it needs in place of --privileged.
ARG NODE=node:22-bookworm-slim
FROM ${NODE}
COPY tarballs/quark-mon-*.tgz /tmp/
RUN npm install --global --ignore-scripts --no-audit --no-fund /tmp/quark-mon-*.tgz \
    && rm -r /tmp/quark-mon-*.tgz /root/.npm
STOPSIGNAL SIGTERM
ENTRYPOINT ["quark-mon"]
