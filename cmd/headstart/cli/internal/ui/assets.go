package ui

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"time"

	"headstart.dev/headstart/report/render"
)

// files are those of the page: its own, without what the report's page has too.
//
//go:embed assets
var files embed.FS

// serveAssets serves the files of the page. The stylesheet is that of the report's page, with what
// only this page has at its end.
func serveAssets(mux *http.ServeMux) error {
	all := map[string][]byte{"uplot.js": []byte(render.UPlot()), "uplot.txt": []byte(render.UPlotLicense())}
	own, err := fs.ReadDir(files, "assets")
	if err != nil {
		return err
	}
	for _, f := range own {
		if all[f.Name()], err = files.ReadFile(path.Join("assets", f.Name())); err != nil {
			return err
		}
	}
	all["page.css"] = append([]byte(render.Stylesheet()), all["page.css"]...)
	all[""] = all["index.html"]
	delete(all, "index.html")
	for name, text := range all {
		pattern := "GET /" + name
		if name == "" {
			pattern, name = "GET /{$}", "index.html"
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
		})
	}
	return nil
}
