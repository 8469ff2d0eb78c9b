// Package archive writes archives that are equal whenever their files are: in the order given, with
// one date, and without the owners and modes of this machine.
package archive

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"time"
)

// File is one file of an archive.
type File struct {
	// Name is the path in the archive, with slashes.
	Name string
	// Executable files have mode 0755, all others 0644.
	Executable bool
	// Data is the content, unless Path names a file of this machine that has it.
	Data []byte
	Path string
}

func (f File) mode() int64 {
	if f.Executable {
		return 0o755
	}
	return 0o644
}

// read returns the content.
func (f File) read() ([]byte, error) {
	if f.Path == "" {
		return f.Data, nil
	}
	return os.ReadFile(f.Path)
}

// Tar writes files, with an entry for each folder before its first file. All belong to root.
func Tar(w io.Writer, date time.Time, files ...File) error {
	out := tar.NewWriter(w)
	folders := map[string]bool{}
	for _, f := range files {
		for _, folder := range parents(f.Name) {
			if folders[folder] {
				continue
			}
			folders[folder] = true
			header := &tar.Header{
				Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, ModTime: date, Format: tar.FormatPAX,
			}
			if err := out.WriteHeader(header); err != nil {
				return fmt.Errorf("add %s: %w", folder, err)
			}
		}
		data, err := f.read()
		if err != nil {
			return fmt.Errorf("add %s: %w", f.Name, err)
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.Name, Mode: f.mode(), Size: int64(len(data)), ModTime: date, Format: tar.FormatPAX,
		}
		if err := out.WriteHeader(header); err != nil {
			return fmt.Errorf("add %s: %w", f.Name, err)
		}
		if _, err := out.Write(data); err != nil {
			return fmt.Errorf("add %s: %w", f.Name, err)
		}
	}
	return out.Close()
}

// parents returns the folders that a path is in, the outermost first.
func parents(name string) []string {
	var all []string
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		all = append([]string{dir}, all...)
	}
	return all
}

// TarGz writes what [Tar] writes, compressed.
func TarGz(w io.Writer, date time.Time, files ...File) error {
	out, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := Tar(out, date, files...); err != nil {
		return err
	}
	return out.Close()
}

// Zip writes files for Windows.
func Zip(w io.Writer, date time.Time, files ...File) error {
	out := zip.NewWriter(w)
	for _, f := range files {
		data, err := f.read()
		if err != nil {
			return fmt.Errorf("add %s: %w", f.Name, err)
		}
		header := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: date.UTC()}
		header.SetMode(os.FileMode(f.mode()))
		entry, err := out.CreateHeader(header)
		if err != nil {
			return fmt.Errorf("add %s: %w", f.Name, err)
		}
		if _, err := entry.Write(data); err != nil {
			return fmt.Errorf("add %s: %w", f.Name, err)
		}
	}
	return out.Close()
}

// WriteFile writes an archive into a file: a zip file where the name ends with .zip, a plain tar
// file where it ends with .tar, and else a compressed one.
func WriteFile(file string, date time.Time, files ...File) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if closed := out.Close(); err == nil {
			err = closed
		}
	}()
	switch path.Ext(file) {
	case ".zip":
		err = Zip(out, date, files...)
	case ".tar":
		err = Tar(out, date, files...)
	default:
		err = TarGz(out, date, files...)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
