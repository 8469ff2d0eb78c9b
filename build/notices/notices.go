// Package notices collects the licences of everything that is linked into a binary: their texts,
// which the licences want to go with the binary, and their SPDX names.
package notices

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"headstart.dev/headstart/build/checkout"
)

// Component is a module, or something else with a licence of its own.
type Component struct {
	Name, Version string
	// Licenses are SPDX names, sorted.
	Licenses []string
	// Texts are the files with licences and notices.
	Texts []Text
}

// Text is a file with a licence or a notice.
type Text struct {
	// Name is its path in the component.
	Name string
	Data []byte
}

// licenseFile matches the names of files that say what a component's licence is, or that it wants
// to be passed on.
var licenseFile = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice|copyright)([-._].*)?$|\.licen[cs]e$`)

// Collect reads the licences of all modules that packages are of, from the module cache. A licence
// may be in any folder between a package and the top of its module. goLicense is the file with that
// of the standard library.
//
// A module without a licence is an error, and so is a licence that [classify] does not know: nobody
// has decided yet whether it may be passed on.
func Collect(packages []checkout.Package, goLicense string) ([]Component, error) {
	folders := map[checkout.Module]map[string]bool{}
	for _, p := range packages {
		if p.Module == nil {
			continue // of the standard library
		}
		if folders[*p.Module] == nil {
			folders[*p.Module] = map[string]bool{}
		}
		for dir := p.Dir; strings.HasPrefix(dir, p.Module.Dir); dir = filepath.Dir(dir) {
			folders[*p.Module][dir] = true
		}
	}
	text, err := os.ReadFile(goLicense)
	if err != nil {
		return nil, fmt.Errorf("read the licence of Go: %w", err)
	}
	std, err := newComponent("Go standard library", "", Text{"LICENSE", text})
	if err != nil {
		return nil, err
	}
	components := []Component{std}
	for module, dirs := range folders {
		var texts []Text
		for _, dir := range slices.Sorted(maps.Keys(dirs)) {
			found, err := licenseTexts(module, dir)
			if err != nil {
				return nil, err
			}
			texts = append(texts, found...)
		}
		c, err := newComponent(module.Path, module.Version, texts...)
		if err != nil {
			return nil, err
		}
		components = append(components, c)
	}
	slices.SortFunc(components, func(a, b Component) int { return cmp.Compare(a.Name, b.Name) })
	return components, nil
}

// licenseTexts reads the licence files in a folder of a module. Headstart's own packages keep what
// others wrote in folders below, so these are searched too.
func licenseTexts(module checkout.Module, dir string) ([]Text, error) {
	var texts []Text
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && (!module.Main || filepath.Base(path) != "assets"):
			return fs.SkipDir
		case entry.IsDir() || !licenseFile.MatchString(entry.Name()) || filepath.Ext(path) == ".go":
			return nil
		}
		name, err := filepath.Rel(module.Dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		texts = append(texts, Text{filepath.ToSlash(name), data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for the licence of %s: %w", module.Path, err)
	}
	return texts, nil
}

func newComponent(name, version string, texts ...Text) (Component, error) {
	c := Component{Name: name, Version: version, Texts: texts}
	for _, t := range texts {
		c.Licenses = append(c.Licenses, classify(t.Data)...)
	}
	slices.Sort(c.Licenses)
	c.Licenses = slices.Compact(c.Licenses)
	if len(c.Licenses) == 0 {
		return Component{}, fmt.Errorf("the licence of %s %s is not known: it has %d files of licences; "+
			"see whether it may be passed on, and teach build/notices to know it", name, version, len(texts))
	}
	return c, nil
}

// phrases are what a licence says, in lower case and with single spaces, and no other one does.
var phrases = map[string]string{
	"Apache-2.0": "apache license version 2.0, january 2004",
	"MIT":        "permission is hereby granted, free of charge, to any person obtaining a copy of this software",
	"ISC": "permission to use, copy, modify, and distribute this software for any purpose with or without fee is " +
		"hereby granted, provided that",
	"MPL-2.0":   "mozilla public license version 2.0",
	"Unlicense": "this is free and unencumbered software released into the public domain",
}

var spaces = regexp.MustCompile(`[\s*#/>]+`)

// classify returns the SPDX names of the licences in a text. Some files have more than one.
func classify(text []byte) []string {
	flat := strings.ToLower(string(spaces.ReplaceAll(text, []byte(" "))))
	flat = strings.ReplaceAll(flat, "and/or distribute", "and distribute")
	flat = strings.ReplaceAll(flat, "copy, modify, and or distribute", "copy, modify, and distribute")
	flat = strings.ReplaceAll(flat, "mozilla public license, version 2.0", "mozilla public license version 2.0")
	var names []string
	for name, phrase := range phrases {
		if strings.Contains(flat, phrase) {
			names = append(names, name)
		}
	}
	if strings.Contains(flat, "redistribution and use in source and binary forms") {
		if strings.Contains(flat, "endorse or promote products") {
			names = append(names, "BSD-3-Clause")
		} else {
			names = append(names, "BSD-2-Clause")
		}
	}
	return names
}

// Write writes all texts into one page. Equal texts are written once, below all that have them.
func Write(w io.Writer, components []Component) error {
	var b bytes.Buffer
	fmt.Fprintln(&b, "This program contains the following software, under the licences that follow.")
	holders := map[string][]string{}
	var texts []string
	for _, c := range components {
		for _, t := range c.Texts {
			body := strings.TrimSpace(string(t.Data))
			if holders[body] == nil {
				texts = append(texts, body)
			}
			name := strings.TrimSpace(c.Name + " " + c.Version)
			holders[body] = append(holders[body], fmt.Sprintf("%s (%s: %s)", name, strings.Join(c.Licenses, ", "), t.Name))
		}
	}
	for _, body := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(holders[body], "\n"), body)
	}
	_, err := b.WriteTo(w)
	return err
}
