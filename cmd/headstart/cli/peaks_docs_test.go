package cli

import (
	"flag"
	"testing"
)

var updatePeaksDocs = flag.Bool("update-peaks-docs", false, "rewrite the outputs in docs/peaks.md")

// Every command of docs/peaks.md prints what stands below it.
func TestPeaksDocs(t *testing.T) { runDocs(t, "peaks.md", 3, *updatePeaksDocs) }
