package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"headstart.dev/headstart/forecaster/internal/closedloop"
	"headstart.dev/headstart/forecaster/internal/global"
)

// unseen returns a global model that has not seen the source of a trace, from a folder of tables:
// the one that is named after a part of the trace's name. It returns nil, for the model that is
// shipped, without a folder, and for traces that no model has seen.
func unseen(t *closedloop.Trace, folder string) (*global.Model, error) {
	if folder == "" {
		return nil, nil
	}
	tables, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range tables {
		if !strings.Contains(t.Name, strings.TrimSuffix(filepath.Base(path), ".json")) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the global model for %s: %w", t.Name, err)
		}
		return global.Parse(text)
	}
	return nil, nil
}
