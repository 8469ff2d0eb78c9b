package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"headstart.dev/headstart/report"
)

// writeDecisions writes the file whole or not at all.
func writeDecisions(path string, s named, from int, made *report.Report) error {
	wishes, ok := made.Wishes()
	if !ok {
		return errors.New("--decisions are those of the policy headstart, which was not run")
	}
	var b bytes.Buffer
	b.WriteString("timestamp,replicas\n")
	for i, w := range wishes {
		fmt.Fprintf(&b, "%s,%d\n", s.stamp(from+i), w)
	}
	return writeWhole(path, b.Bytes())
}

func writeWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already after the rename
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
