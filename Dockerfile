# One static binary, no shell, no root. Build it with `make image`.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION
ARG TARGETOS TARGETARCH
RUN VERSION=$VERSION GOOS=$TARGETOS GOARCH=$TARGETARCH hack/build.sh /headstart

FROM gcr.io/distroless/static:nonroot
COPY --from=build /headstart /headstart
USER 65532:65532
ENTRYPOINT ["/headstart"]
CMD ["serve"]
