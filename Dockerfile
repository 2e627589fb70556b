# The web application as a container: docker build -t topgenre .
# Run it with a read-only root file system; compose.yaml shows how.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
# There is no git here to ask for the version: docker build --build-arg VERSION=1.2.3
ARG VERSION=""
RUN python -m venv /opt/topgenre \
    && SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION /opt/topgenre/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --system --no-create-home --uid 10001 topgenre
COPY --from=build /opt/topgenre /opt/topgenre
# Uploads go to /tmp while they are analysed: mount a tmpfs there.
ENV PATH=/opt/topgenre/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp \
    TOPGENRE_HOST=0.0.0.0 \
    TOPGENRE_PORT=8000
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["topgenre"]
CMD ["serve"]
