// Command generate writes the synthetic traces of package traces to a folder. The default is the
// folder testdata of the working directory.
//
//	go run ./testdata/generate [folder]
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"headstart.dev/headstart/testdata/traces"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	dir := "testdata"
	if len(args) > 0 {
		dir = args[0]
	}
	for name, series := range traces.Files() {
		path := filepath.Join(dir, name+".csv.gz")
		n, err := write(path, series)
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		fmt.Fprintf(out, "%s: %d bytes\n", path, n)
	}
	return nil
}

// write writes one file and returns its size.
func write(path string, series []traces.Trace) (bytesWritten int, err error) {
	var file bytes.Buffer
	z, err := gzip.NewWriterLevel(&file, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(traces.Write(z, series...), z.Close()); err != nil {
		return 0, err
	}
	return file.Len(), os.WriteFile(path, file.Bytes(), 0o644)
}
