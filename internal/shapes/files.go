package shapes

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func files(t testing.TB) []Shape {
	name := filepath.Join(t.TempDir(), "large.txt")
	if err := os.WriteFile(name, []byte(large), 0o600); err != nil {
		t.Fatal(err)
	}
	serve := withFile(name, func(w http.ResponseWriter, r *http.Request, f *os.File) {
		http.ServeContent(w, r, "large.txt", time.Unix(1e9, 0), f)
	})
	return []Shape{
		{Name: "file", Handler: serve},
		{Name: "file, HEAD", Method: http.MethodHead, Handler: serve},
		{Name: "file, range", Header: map[string]string{"Range": "bytes=100-50099"}, Handler: serve},
		{Name: "file, range at the end", Header: map[string]string{"Range": "bytes=-10"}, Handler: serve},
		{Name: "file, range not satisfiable", Header: map[string]string{"Range": "bytes=200000-"}, Handler: serve},
		{Name: "file, not modified", Handler: serve,
			Header: map[string]string{"If-Modified-Since": "Mon, 02 Jan 2006 15:04:05 GMT"}},
		{Name: "file copied", Handler: withFile(name, func(w http.ResponseWriter, _ *http.Request, f *os.File) {
			_, _ = io.Copy(w, f)
		})},
		{Name: "file copied with Content-Length", Handler: withFile(name,
			func(w http.ResponseWriter, _ *http.Request, f *os.File) {
				w.Header().Set("Content-Length", "100000")
				_, _ = io.Copy(w, f)
			})},
		{Name: "file by ReadFrom where there is one", Handler: withFile(name,
			func(w http.ResponseWriter, _ *http.Request, f *os.File) {
				if rf, ok := w.(io.ReaderFrom); ok {
					_, _ = rf.ReadFrom(f)
				}
			})},
	}
}

func withFile(name string, serve func(http.ResponseWriter, *http.Request, *os.File)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		serve(w, r, f)
	}
}
