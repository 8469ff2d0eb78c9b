package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"headstart.dev/headstart/report"
)

// writeDecisions writes the replicas of the policy headstart to a CSV file, one row per step from
// step from on.
func writeDecisions(path string, s inputSeries, from int, result *report.Report) error {
	replicas, ok := result.DesiredReplicas()
	if !ok {
		return errNoDecisions
	}
	var b bytes.Buffer
	b.WriteString("timestamp,replicas\n")
	for i, n := range replicas {
		fmt.Fprintf(&b, "%s,%d\n", s.stamp(from+i), n)
	}
	return writeFile(path, b.Bytes())
}

// writeFile replaces a file, and leaves the old one as it was if anything fails.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it does not exist any more after the rename
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
