package main

import "io"

// ioStreams are where a command reads and writes, so that tests can watch it.
type ioStreams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}
