// Command generate writes the synthetic traces of package traces into testdata, the folder it is given, or the one named testdata
// in the working directory:
//
//	go run ./testdata/generate [folder]
package main

import (
	"bytes"
	"compress/gzip"
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
	for name, all := range traces.Files() {
		var file bytes.Buffer
		z, err := gzip.NewWriterLevel(&file, gzip.BestCompression)
		if err != nil {
			return err
		}
		if err := traces.Write(z, all...); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		path := filepath.Join(dir, name+".csv.gz")
		if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d bytes\n", path, file.Len())
	}
	return nil
}
