package binaries

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// buildTimeout bounds one build of all the programs, also with an empty cache on a busy machine.
const buildTimeout = 90 * time.Minute

// ControlPlane finds the repository. It builds the programs of the control plane that are missing
// or out of date.
func ControlPlane(ctx context.Context, progress io.Writer) (Layout, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	l, err := FindLayout()
	if err != nil {
		return Layout{}, err
	}
	return l, l.Build(ctx, progress, Commands()...)
}

// WithHeadstart does what [ControlPlane] does. It also builds headstart from the current source.
func WithHeadstart(ctx context.Context, progress io.Writer) (Layout, error) {
	l, err := ControlPlane(ctx, progress)
	if err != nil {
		return Layout{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	return l, l.Headstart(ctx, progress)
}

// MovedClock is the name of a build of headstart whose clock [ClockVariable] moves, by a duration.
const (
	MovedClock    = "headstart-moved-clock"
	ClockVariable = "HEADSTART_TEST_CLOCK_OFFSET"
)

// WithMovedClock does what [WithHeadstart] does. It also builds [MovedClock].
func WithMovedClock(ctx context.Context, progress io.Writer) (Layout, error) {
	l, err := WithHeadstart(ctx, progress)
	if err != nil {
		return Layout{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	unlock, err := l.lock(ctx)
	if err != nil {
		return Layout{}, err
	}
	defer unlock()
	b := builder{dir: l.Root, progress: progress, env: []string{
		"HEADSTART_LDFLAGS=-X headstart.dev/headstart/cmd/headstart/app.clockVariable=" + ClockVariable,
	}}
	return l, b.run(ctx, MovedClock, filepath.Join("hack", "build.sh"), filepath.Join(l.Bin, MovedClock))
}

// RunTests is the body of a TestMain whose tests need binaries. It builds them first, so the
// timeout of the tests does not include the build. Then it stores the layout in into, runs the
// tests, and returns the exit code.
func RunTests(m interface{ Run() int }, into *Layout, build func(context.Context, io.Writer) (Layout, error)) int {
	layout, err := build(context.Background(), os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*into = layout
	return m.Run()
}

// WithKEDA does what [WithHeadstart] does. It also builds KEDA's programs.
func WithKEDA(ctx context.Context, progress io.Writer) (Layout, error) {
	l, err := WithHeadstart(ctx, progress)
	if err != nil {
		return Layout{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	return l, l.Build(ctx, progress, KEDA()...)
}

// Build builds those of the commands that are missing from l.Bin, or out of date, and reports
// progress. Only one process builds at a time. The others wait for it.
//
// Commands with the same modfile are built by one call of the go command. So the packages that they
// share are compiled once, and one command is linked while the next one is compiled.
func (l Layout) Build(ctx context.Context, progress io.Writer, commands ...Command) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	byModfile := map[string][]Command{}
	for _, c := range commands {
		byModfile[c.Modfile] = append(byModfile[c.Modfile], c)
	}
	for _, modfile := range slices.Sorted(maps.Keys(byModfile)) {
		if err := l.buildPinned(ctx, progress, modfile, byModfile[modfile]); err != nil {
			return err
		}
	}
	return nil
}

// buildPinned builds those of the commands that are missing or out of date. One modfile pins the
// versions of all of them.
func (l Layout) buildPinned(ctx context.Context, progress io.Writer, modfile string, commands []Command) error {
	pinned, err := pinnedVersions(ctx, filepath.Join(l.Module, cmp.Or(modfile, "go.mod")))
	if err != nil {
		return err
	}
	outdated := slices.DeleteFunc(slices.Clone(commands), func(c Command) bool { return l.upToDate(c, pinned) })
	if len(outdated) == 0 {
		return nil
	}
	var names, packages []string
	for _, c := range outdated {
		names, packages = append(names, c.Name), append(packages, c.Package)
	}
	what, flags := "the control plane", slices.Clone(commandFlags)
	if modfile != "" {
		what, flags = strings.Join(names, " and "), append(flags, "-modfile="+modfile)
	}
	fmt.Fprintf(progress, "Building %s into %s, once.\n", strings.Join(names, ", "), l.Bin)
	fmt.Fprintln(progress, "With an empty build cache and two cores, all of the control plane takes about 8 minutes, "+
		"and KEDA about 12.")
	// The go command writes into a temporary folder. Then the binaries are renamed, so a binary in
	// l.Bin is always complete. It also gets its own name, which need not be that of its package.
	dir := filepath.Join(l.Bin, ".building")
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("build %s: %w", what, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := builder{dir: l.Module, progress: progress}
	if err := b.goBuild(ctx, what, flags, dir+string(filepath.Separator), packages...); err != nil {
		return err
	}
	for _, c := range outdated {
		if err := os.Rename(filepath.Join(dir, defaultName(c.Package)), filepath.Join(l.Bin, c.Name)); err != nil {
			return fmt.Errorf("build %s: %w", c.Name, err)
		}
		if err := os.WriteFile(l.flagsFile(c), []byte(flagsHash(c)), 0o644); err != nil {
			return fmt.Errorf("record the build flags of %s: %w", c.Name, err)
		}
	}
	return nil
}

// Headstart builds bin/headstart from the main module with hack/build.sh, as `make build` does. The
// cache of the go command makes this quick when nothing has changed.
func (l Layout) Headstart(ctx context.Context, progress io.Writer) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	b := builder{dir: l.Root, progress: progress}
	return b.run(ctx, "headstart", filepath.Join("hack", "build.sh"), filepath.Join(l.Bin, "headstart"))
}

// Demo builds bin/demo from the current source.
func (l Layout) Demo(ctx context.Context, progress io.Writer) error {
	return l.tool(ctx, progress, l.Module, "demo", "./demo")
}

// Helm builds bin/helm, which renders the chart. go.helm.mod of the main module pins its version.
func (l Layout) Helm(ctx context.Context, progress io.Writer) error {
	return l.tool(ctx, progress, l.Root, "helm", "helm.sh/helm/v4/cmd/helm", "-modfile=go.helm.mod")
}

// Linter builds bin/golangci-lint. go.lint.mod of the main module pins its version.
func (l Layout) Linter(ctx context.Context, progress io.Writer) error {
	return l.tool(ctx, progress, l.Root, "golangci-lint", "github.com/golangci/golangci-lint/v2/cmd/golangci-lint",
		"-modfile=go.lint.mod")
}

// tool builds a program that is not part of the control plane. module is the folder whose go.mod or
// modfile pins its version.
func (l Layout) tool(ctx context.Context, progress io.Writer, module, name, pkg string, flags ...string) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	b := builder{dir: module, progress: progress}
	return b.goBuild(ctx, name, append(flags, "-ldflags", "-s -w"), filepath.Join(l.Bin, name), pkg)
}

// builder runs build commands in a folder, and shows their progress.
type builder struct {
	dir      string
	progress io.Writer
	env      []string
}

// goBuild builds packages with the go command. out is the binary, or the folder of the binaries if
// it ends with a separator.
func (b builder) goBuild(ctx context.Context, name string, flags []string, out string, packages ...string) error {
	args := append([]string{"build", "-o", out}, buildFlags...)
	args = append(append(args, flags...), packages...)
	return b.run(ctx, name, "go", args...)
}

// run runs a program that calls the go command. It sets -v in GOFLAGS, so the go command writes one
// line to stderr for each package that it compiles. run counts these lines as progress. The other
// lines become the text of the error.
func (b builder) run(ctx context.Context, name, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = b.dir
	cmd.Env = append(append(os.Environ(), buildEnv...), "GOFLAGS="+os.Getenv("GOFLAGS")+" -v")
	cmd.Env = append(cmd.Env, b.env...)
	if os.Getenv("GOGC") == "" {
		// The compiler spends a quarter of its time on garbage collection. Most of the garbage comes
		// from reading imported packages. A larger heap makes collections rare.
		cmd.Env = append(cmd.Env, "GOGC=400")
	}
	// Interrupt, not kill, so that the go command can remove its temporary files.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	shown := showProgress(b.progress, name)
	if err := cmd.Start(); err != nil {
		shown.end(false)
		return fmt.Errorf("build %s: %w", name, err)
	}
	var messages []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if line := lines.Text(); isPackage(line) {
			shown.compiled.Add(1)
		} else {
			messages = append(messages, line)
		}
	}
	err = cmd.Wait()
	shown.end(err == nil)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("build %s: %w", name, ctx.Err())
	}
	return fmt.Errorf("build %s: %w\n%s\nIf modules are missing: the first build downloads them from GOPROXY, "+
		"so make sure that it can be reached", name, err, strings.TrimSpace(strings.Join(messages, "\n")))
}

// isPackage reports whether a line of go build -v is the path of a package.
func isPackage(line string) bool { return line != "" && !strings.ContainsAny(line, " \t:#") }
