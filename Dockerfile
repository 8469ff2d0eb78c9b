# One static binary, no shell, no root. Build it with `make image`.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=v0.1.0
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /headstart ./cmd/headstart

FROM gcr.io/distroless/static:nonroot
COPY --from=build /headstart /headstart
USER 65532:65532
ENTRYPOINT ["/headstart"]
CMD ["serve"]
