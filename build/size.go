package main

import (
	"bufio"
	"cmp"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"headstart.dev/headstart/build/checkout"
)

// reportSize says how much of the binary each module is. It counts the symbols of a binary that is
// not stripped, and says apart what no symbol covers, such as the tables for stack traces.
func reportSize(ctx context.Context, out io.Writer, source checkout.Checkout) error {
	dir, err := os.MkdirTemp("", "headstart-size-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	on := checkout.Platform{OS: "linux", Arch: "amd64"}
	stripped, full := filepath.Join(dir, "stripped"), filepath.Join(dir, "full")
	if err := source.Build(ctx, on, stripped); err != nil {
		return err
	}
	if err := source.BuildWithSymbols(ctx, on, full); err != nil {
		return err
	}
	info, err := os.Stat(stripped)
	if err != nil {
		return err
	}
	packages, err := source.Packages(ctx, on)
	if err != nil {
		return err
	}
	modules, err := symbolSizes(ctx, full, packages)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%10s  %s\n", "bytes", "module")
	printSizes(out, modules)
	sections, err := sectionSizes(stripped)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%10s  %s\n", "bytes", "section of the file")
	printSizes(out, sections)
	fmt.Fprintf(out, "%10d  all of the file\n", info.Size())
	return nil
}

// printSizes writes a list, the largest first.
func printSizes(out io.Writer, sizes map[string]int64) {
	largest := func(a, b string) int { return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b)) }
	for _, name := range slices.SortedFunc(maps.Keys(sizes), largest) {
		fmt.Fprintf(out, "%10d  %s\n", sizes[name], name)
	}
}

// symbolSizes adds up the symbols of a binary by the module of their package.
func symbolSizes(ctx context.Context, file string, packages []checkout.Package) (map[string]int64, error) {
	module := map[string]string{}
	for _, p := range packages {
		switch {
		case p.Module == nil:
			module[p.ImportPath] = "Go standard library"
		case p.Module.Main:
			module[p.ImportPath] = "Headstart"
		default:
			module[p.ImportPath] = p.Module.Path
		}
	}
	list := exec.CommandContext(ctx, "go", "tool", "nm", "-size", file)
	list.Stderr = os.Stderr
	stdout, err := list.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := list.Start(); err != nil {
		return nil, fmt.Errorf("list the symbols: %w", err)
	}
	sizes := map[string]int64{}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		// Address, size, type, and a name that may have spaces. B and b take no place in the file.
		if len(fields) < 4 || strings.EqualFold(fields[2], "B") {
			continue
		}
		size, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue // a symbol without a size
		}
		name := strings.Join(fields[3:], " ")
		if name == "runtime.pclntab" {
			sizes["tables of functions and lines, for stack traces"] += size
			continue
		}
		sizes[module[packageOf(name, module)]] += size
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("list the symbols: %w", err)
	}
	if err := list.Wait(); err != nil {
		return nil, fmt.Errorf("list the symbols: %w", err)
	}
	sizes["of no single module"] = sizes[""]
	delete(sizes, "")
	return sizes, nil
}

// packageOf returns the import path of the package that a symbol is of, or "".
func packageOf(symbol string, known map[string]string) string {
	for _, prefix := range []string{"type:", "go:itab.", "*", ".eq.", ".hash.", "[]"} {
		symbol = strings.TrimPrefix(symbol, prefix)
	}
	symbol, _, _ = strings.Cut(symbol, "[") // type arguments
	symbol = strings.ReplaceAll(symbol, "%2e", ".")
	// The path ends at a dot after its last slash.
	slash := strings.LastIndexByte(symbol, '/')
	for i := slash + 1; i < len(symbol); i++ {
		if symbol[i] == '.' && known[symbol[:i]] != "" {
			return symbol[:i]
		}
	}
	return ""
}

// sectionSizes returns the parts of a binary, by the names that ELF gives them.
func sectionSizes(file string) (map[string]int64, error) {
	binary, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the sections: %w", err)
	}
	defer func() { _ = binary.Close() }()
	sizes := map[string]int64{}
	for _, s := range binary.Sections {
		if s.Type != elf.SHT_NOBITS && s.FileSize > 0 {
			sizes[s.Name] = int64(s.FileSize)
		}
	}
	return sizes, nil
}
