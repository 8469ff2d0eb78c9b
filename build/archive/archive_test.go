package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var date = time.Date(2026, 11, 30, 20, 16, 21, 0, time.UTC)

// TestWriteFile writes each kind of archive twice, from files of different ages.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	for _, name := range []string{"a.tar", "a.tar.gz", "a.zip"} {
		var sums [2][32]byte
		for i := range sums {
			if err := os.WriteFile(source, []byte("program"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(source, time.Unix(int64(i), 0), time.Unix(int64(i), 0)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, name)
			if err := WriteFile(file, date, File{Name: "bin/it", Executable: true, Path: source},
				File{Name: "bin/text", Data: []byte("text")}); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sums[i] = sha256.Sum256(data)
			if got := list(t, file, data); got != "bin/it 755 program; bin/text 644 text; " {
				t.Errorf("%s has %s", name, got)
			}
		}
		if sums[0] != sums[1] {
			t.Errorf("%s differs from one time to the other", name)
		}
	}
	if err := WriteFile(filepath.Join(dir, "b.tar"), date, File{Name: "a", Path: filepath.Join(dir, "none")}); err == nil {
		t.Error("a file that is not there: no error")
	}
}

// list writes the files of an archive in one line.
func list(t *testing.T, file string, data []byte) string {
	t.Helper()
	var out strings.Builder
	add := func(name string, mode os.FileMode, at time.Time, r io.Reader) {
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(name + " " + string([]byte{'0' + byte(mode>>6&7), '0' + byte(mode>>3&7), '0' + byte(mode&7)}) + " " +
			string(content) + "; ")
		if !at.Equal(date) {
			t.Errorf("%s is of %s", name, at)
		}
	}
	if strings.HasSuffix(file, ".zip") {
		r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			content, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, f.Mode(), f.Modified, content)
		}
		return out.String()
	}
	in := io.Reader(bytes.NewReader(data))
	if strings.HasSuffix(file, ".gz") {
		r, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		in = r
	}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			add(h.Name, os.FileMode(h.Mode), h.ModTime, r)
		}
	}
}
