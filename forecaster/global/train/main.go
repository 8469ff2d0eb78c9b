// Command train fits the global model of the forecaster to public demand traces, and writes its
// table:
//
//	go run ./forecaster/global/train -data DIR -out forecaster/internal/global/table.json
//	go run ./forecaster/global/train -data DIR -each DIR   a table without each source
//
// The traces are CSV files of timestamp,value, gzipped. Their sources and licences are in
// docs/design/011-global-model.md. The same data and seed give the same table.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"headstart.dev/headstart/forecaster/internal/global"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	fs := flag.NewFlagSet("train", flag.ContinueOnError)
	data := fs.String("data", "", "folder of the traces")
	out := fs.String("out", "", "file to write the table to")
	each := fs.String("each", "", "folder to write a table without each source to, SOURCE.json")
	if err := fs.Parse(args); err != nil {
		return err
	}
	all, err := load(*data)
	if err != nil {
		return err
	}
	type job struct{ without, path string }
	var jobs []job
	if *out != "" {
		jobs = append(jobs, job{"", *out})
	}
	if *each != "" {
		for _, s := range sources() {
			jobs = append(jobs, job{s.name, filepath.Join(*each, s.name+".json")})
		}
	}
	errs := make([]error, len(jobs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for k, j := range jobs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			m := train(sample(all, j.without), j.without)
			if j.without != "" {
				fmt.Fprintf(os.Stderr, "%q, unseen: %.4f of the loss of a constant\n", j.without, held(all, j.without, m))
			}
			errs[k] = write(j.path, m)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes a table, with five digits of each number.
func write(path string, m *global.Model) error {
	short := func(all []float64) {
		for i, v := range all {
			all[i], _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
			if math.Abs(v) < 1e-6 {
				all[i] = 0
			}
		}
	}
	for k := range m.Linear {
		short(m.Linear[k])
		short(m.Out[k])
	}
	for k := range m.In {
		short(m.In[k])
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
