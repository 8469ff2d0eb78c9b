package cli

import "io"

// Streams are where a command reads and writes, so that tests can watch it.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}
