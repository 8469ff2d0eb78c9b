package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version says what this binary was built from. What the build does not know is empty.
type Version struct {
	// Version of the release, such as v0.1.0.
	Version string `json:"version"`
	// Commit is the full hash. It ends with -dirty if files were changed since.
	Commit string `json:"commit,omitempty"`
	// Date of the commit, and not of the build, so that two builds are equal. In RFC 3339.
	Date string `json:"date,omitempty"`
	// GoVersion and Platform are those of the toolchain.
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// NewVersion completes what the build has set. A plain go build sets nothing: then the commit is
// the one that the toolchain found, if it looked.
func NewVersion(version, commit, date string) Version {
	v := Version{
		Version: version, Commit: commit, Date: date,
		GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || commit != "" {
		return v
	}
	found := map[string]string{}
	for _, s := range info.Settings {
		found[s.Key] = s.Value
	}
	v.Commit, v.Date = found["vcs.revision"], cmp.Or(date, found["vcs.time"])
	if v.Commit != "" && found["vcs.modified"] == "true" {
		v.Commit += "-dirty"
	}
	return v
}

// String is one line, such as "v0.1.0 (commit 0123456789ab, 2026-11-30T20:16:21Z, go1.26.8,
// linux/amd64)".
func (v Version) String() string {
	commit := "unknown"
	if v.Commit != "" {
		commit = shortCommit(v.Commit)
	}
	if v.Date != "" {
		commit += ", " + v.Date
	}
	return fmt.Sprintf("%s (commit %s, %s, %s)", v.Version, commit, v.GoVersion, v.Platform)
}

// shortCommit shortens a hash, and keeps what follows it.
func shortCommit(commit string) string {
	const hash, short = 40, 12
	if len(commit) < hash {
		return commit
	}
	return commit[:short] + commit[hash:]
}

// newVersionCommand prints the same as --version. Many users try the command first.
func newVersionCommand(version Version) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit that it was built from, and its date",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch output {
			case "text":
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s version %s\n", cmd.Root().DisplayName(), version)
				return err
			case "json":
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(version)
			}
			return fmt.Errorf("--output %q is not text or json", output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}
