package externalscaler

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"headstart.dev/headstart/adapter/externalscaler/pb"
)

const (
	// maxMessage is far above the metadata of a trigger, in bytes.
	maxMessage = 16 << 10
	// maxHeaders is far above the headers of a call, in bytes. A stream keeps them.
	maxHeaders = 4 << 10
	// streamWindow and connectionWindow are how many bytes a client may send ahead. The first is the
	// least that gRPC takes.
	streamWindow     = 64 << 10
	connectionWindow = 1 << 20
	// callsPerConnection bounds the calls and streams of one connection. KEDA has one connection to
	// a replica for all its ScaledObjects, so this leaves room for calls beside all streams.
	callsPerConnection = 20_000
	// handshakeTimeout bounds the time that a new connection may take.
	handshakeTimeout = 10 * time.Second
	// stopTimeout bounds the wait for open calls at shutdown.
	stopTimeout = 10 * time.Second
)

// Server serves KEDA's ExternalScaler over TLS. Make one with [New].
type Server struct {
	grpc     *grpc.Server
	service  *service
	listener *connections
	options  Options
}

// New opens the listener and sets up the server; [Server.Run] serves.
func New(opts Options) (*Server, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("external scaler options: %w", err)
	}
	s := &service{
		forecasts: opts.Forecasts, lookup: opts.Lookup, clock: opts.Clock,
		streams: newStreamLimits(opts.MaxStreams, opts.MaxStreamsPerNamespace),
		tick:    opts.tick, lifetime: opts.lifetime, stopping: make(chan struct{}),
	}
	observe, err := newInstruments(opts.Registerer, s.streams)
	if err != nil {
		return nil, err
	}
	listener := opts.Listener
	if listener == nil {
		address := net.JoinHostPort(opts.BindAddress, strconv.Itoa(opts.Port))
		if listener, err = net.Listen("tcp", address); err != nil {
			return nil, fmt.Errorf("listen on %s for KEDA: %w", address, err)
		}
	}
	guard := newGuard(opts.Logger, opts.Clock, observe.panics)
	server := grpc.NewServer(append(serverLimits(opts.lifetime),
		grpc.Creds(countedTLS{credentials.NewTLS(tlsConfig(opts.Cert, opts.ClientCA))}),
		grpc.InTapHandle(admit(opts.readTimeout)),
		grpc.ChainUnaryInterceptor(readUnary, observe.unary, guard.unary),
		grpc.ChainStreamInterceptor(readStream, guard.stream))...)
	pb.RegisterExternalScalerServer(server, s)
	return &Server{
		grpc: server, service: s, options: opts, listener: newConnections(listener, opts, observe.closed),
	}, nil
}

// serverLimits bounds what a client can cost. lifetime is about how long a stream lasts.
func serverLimits(lifetime time.Duration) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.MaxConcurrentStreams(callsPerConnection),
		grpc.ConnectionTimeout(handshakeTimeout),
		// A client that is gone without a word holds its streams for 40 seconds. A connection ends
		// after half an hour, when its streams have ended: then the client looks for all replicas. Streams
		// that a client does not let end are cut off.
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: 30 * time.Second, Timeout: 10 * time.Second,
			MaxConnectionIdle: 15 * time.Minute, MaxConnectionAge: 30 * time.Minute,
			MaxConnectionAgeGrace: lifetime + time.Minute,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
}

// Addr is the address of the listener.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx is done. Then it still serves for the shutdown delay, ends the streams, and
// waits for open calls.
func (s *Server) Run(ctx context.Context) error {
	s.options.Logger.Info("serving KEDA", "address", s.Addr().String(), "client_certificates", s.options.ClientCA != nil)
	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve KEDA: %w", err)
	case <-ctx.Done():
	}
	delay := time.NewTimer(s.options.ShutdownDelay)
	defer delay.Stop()
	select {
	case err := <-served:
		return fmt.Errorf("serve KEDA: %w", err)
	case <-delay.C:
	}
	close(s.service.stopping)
	force := time.AfterFunc(stopTimeout, s.grpc.Stop)
	defer force.Stop()
	s.grpc.GracefulStop()
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve KEDA: %w", err)
	}
	return nil
}
