# One image for the API, the worker and the migration: the command line decides.

# The packages, from the hashed requirements and from wheels alone: nothing is compiled, nothing is fetched unhashed.
FROM python:3.13-slim AS packages
COPY requirements/run.txt /tmp/run.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r /tmp/run.txt \
 && /opt/venv/bin/pip uninstall --yes --quiet pip

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TASKFOLD_LOG_FORMAT=json
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY schema.sql ./
COPY migrations ./migrations
COPY domain ./domain
COPY commands ./commands
COPY projections ./projections
COPY api ./api
# The root filesystem is read-only where it runs, so the bytecode is made here; and no tool stays that could install.
RUN python -m compileall -q domain commands projections api \
 && /usr/local/bin/python -m pip uninstall --yes --quiet --root-user-action ignore pip
# Where the volume for files is mounted: a new one takes over its owner.
RUN install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/taskfold/blobs
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "api.cli"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
