// Package checkout knows the source that a release is built from: its version, its commit, and what
// is linked into the binary.
package checkout

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Checkout is the source of one version.
type Checkout struct {
	// Root is the folder of the repository.
	Root string
	// Version, such as v0.1.0.
	Version string
	// Commit is the full hash. It ends with -dirty if files differ from it.
	Commit string
	// Date of the commit. Everything that is built has this date, so that two builds are equal.
	Date time.Time
}

var semver = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// Open looks at the repository in root. SOURCE_DATE_EPOCH replaces the date of the commit, and is
// needed where the source is not in git.
func Open(ctx context.Context, root, version string) (Checkout, error) {
	if !semver.MatchString(version) {
		return Checkout{}, fmt.Errorf("version %q is not one such as v0.1.0 or v0.2.0-rc.1", version)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return Checkout{}, fmt.Errorf("find the repository: %w", err)
	}
	c := Checkout{Root: root, Version: version, Commit: "unknown"}
	if commit, err := c.git(ctx, "rev-parse", "HEAD"); err == nil {
		c.Commit = commit
		if _, err := c.git(ctx, "diff", "--quiet", "HEAD", "--"); err != nil {
			c.Commit += "-dirty"
		}
	}
	date := os.Getenv("SOURCE_DATE_EPOCH")
	if date == "" {
		if date, err = c.git(ctx, "show", "-s", "--format=%ct", "HEAD"); err != nil {
			return Checkout{}, fmt.Errorf("find the date of the commit: %w; outside of git, set SOURCE_DATE_EPOCH", err)
		}
	}
	seconds, err := strconv.ParseInt(date, 10, 64)
	if err != nil {
		return Checkout{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds since 1970", date)
	}
	c.Date = time.Unix(seconds, 0).UTC()
	return c, nil
}

// File returns the path of a file of the repository.
func (c Checkout) File(path string) string { return filepath.Join(c.Root, filepath.FromSlash(path)) }

// Log returns the subjects of the commits since the latest tag before this commit, the newest
// first, and that tag. Without a tag, these are all commits.
func (c Checkout) Log(ctx context.Context) (subjects []string, since string, err error) {
	commits := "HEAD"
	// The commit itself may have the tag of this version already.
	if tag, err := c.git(ctx, "describe", "--tags", "--abbrev=0", "--exclude="+c.Version, "HEAD"); err == nil {
		since, commits = tag, tag+"..HEAD"
	}
	out, err := c.git(ctx, "log", "--no-merges", "--format=%s", commits)
	if err != nil {
		return nil, "", fmt.Errorf("list the commits: %w", err)
	}
	if out == "" {
		return nil, since, nil
	}
	return strings.Split(out, "\n"), since, nil
}

func (c Checkout) git(ctx context.Context, args ...string) (string, error) {
	out, err := c.run(ctx, nil, "git", args...)
	return strings.TrimSpace(out), err
}

// run runs a program in the repository, and returns what it writes.
func (c Checkout) run(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.Root
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, said)
	}
	return stdout.String(), nil
}
