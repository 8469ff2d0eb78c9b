package notices

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"headstart.dev/headstart/build/checkout"
)

const (
	mit = "Copyright A\n\nPermission is hereby granted, free of charge, to any person obtaining\n" +
		"a copy of this software"
	isc = "Permission to use, copy, modify, and/or distribute this software for any purpose with or without\n" +
		"fee is hereby granted, provided that"
	bsd = "Redistribution and use in source and binary forms, with or without\n * modification"
)

func TestClassify(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, text string
		want         []string
	}{
		"MIT":         {"lines wrap anywhere", mit, []string{"MIT"}},
		"BSD-2":       {"a comment's stars are no text", "* " + bsd, []string{"BSD-2-Clause"}},
		"BSD-3":       {"the third clause", bsd + " be used to endorse or promote\n// products", []string{"BSD-3-Clause"}},
		"Apache":      {"its title", "  Apache License\n   Version 2.0, January 2004", []string{"Apache-2.0"}},
		"ISC":         {"one word differs", isc, []string{"ISC"}},
		"two":         {"some files have two", mit + bsd, []string{"BSD-2-Clause", "MIT"}},
		"proprietary": {"nobody has decided", "All rights reserved", nil},
		"GPL":         {"it must not come in unseen", "GNU GENERAL PUBLIC LICENSE Version 3", nil},
	} {
		got := classify([]byte(tc.text))
		slices.Sort(got)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %s: got %q, want %q", name, tc.reason, got, tc.want)
		}
	}
}

// TestCollect looks into all folders between a package and its module.
func TestCollect(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"GO": bsd, "a/LICENSE": mit, "a/NOTICE.txt": "made by A", "a/b/c/code.go": "package c",
		"a/b/LICENSE.libyaml": bsd, "a/d/LICENSE": "of something that is not linked", "a/license.go": "package a",
		"main/LICENSE": mit, "main/r/assets/chart.LICENSE": bsd, "none/x/code.go": "package x",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pkg := func(module, below string, main bool) checkout.Package {
		m := &checkout.Module{Path: module, Version: "v1", Dir: filepath.Join(dir, module), Main: main}
		return checkout.Package{Dir: filepath.Join(m.Dir, below), Module: m}
	}
	linked := []checkout.Package{{Standard: true}, pkg("a", "b/c", false), pkg("main", "r", true)}
	got, err := Collect(linked, filepath.Join(dir, "GO"))
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := Write(&page, got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Go standard library (BSD-2-Clause: LICENSE)\na v1 (BSD-2-Clause, MIT: b/LICENSE.libyaml)\n" +
			"main v1 (BSD-2-Clause, MIT: r/assets/chart.LICENSE)\n",
		"a v1 (BSD-2-Clause, MIT: NOTICE.txt)\n\nmade by A\n",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks\n%s\nin\n%s", want, page.String())
		}
	}
	if strings.Contains(page.String(), "not linked") || strings.Contains(page.String(), "package a") {
		t.Errorf("the page has too much:\n%s", page.String())
	}
	_, err = Collect([]checkout.Package{pkg("none", "x", false)}, filepath.Join(dir, "GO"))
	if err == nil || !strings.Contains(err.Error(), "licence of none v1 is not known") {
		t.Errorf("a module without a licence: error %v", err)
	}
}
